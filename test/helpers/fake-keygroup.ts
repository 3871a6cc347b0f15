import { decodeBatch, encodeBatchReply, type BatchRequest } from "../../src/channel/batches.js";
import { OPERATION, type FrameWriter } from "../../src/channel/frames.js";
import * as operations from "../../src/channel/operations.js";
import * as replies from "../../src/channel/replies.js";
import { toJsonValue, type JsonValue } from "../../src/channel/values.js";
import { TAG, type TypedValue } from "../../src/core/value.js";

interface Stored extends TypedValue {
  readonly version: string;
  readonly expiresAtMs: number;
}

/** A keygroup in memory that answers the operations of one guest. Pages hold at most 10 pairs. */
export class FakeKeygroup {
  readonly values = new Map<string, Stored>();
  /** Other keygroups that the function may use. */
  readonly granted = new Map<string, FakeKeygroup>();
  /** Call ids and kinds of all operations, in order. */
  readonly seen: { callId: number; kind: number; json?: Record<string, unknown> }[] = [];
  readonly sends: unknown[] = [];
  readonly #once = new Set<string>();
  readonly #watches = new Map<number, string>();
  readonly #pageItemsMax = 10;
  /** Sees every operation before it is answered; may return an error to answer with. */
  intercept: ((kind: number, key: string) => string | undefined) | undefined;
  /** What `siblings` answers. */
  siblings: (key: string) => readonly JsonValue[] = () => [
    { t: "str", v: "a" },
    { t: "bytes", v: "AQI=" },
    { t: "json", v: [1] },
  ];
  #lastVersion = 0;

  answer(writer: FrameWriter, id: number, payload: Buffer): void {
    const kind = operations.operationKind(payload);
    const callId = operations.operationCallId(payload);
    this.seen.push({ callId, kind });
    try {
      this.#answer(writer, id, kind, payload);
    } catch (error) {
      const code = error instanceof Refusal ? error.code : "ENOKI_INTERNAL";
      replies.encodeErrorReply(writer, id, { code, message: `refused: ${String(error)}` });
    }
  }

  #answer(writer: FrameWriter, id: number, kind: number, payload: Buffer): void {
    switch (kind) {
      case OPERATION.within: {
        const { keygroup, operation } = operations.decodeWithin(payload);
        const other = this.granted.get(keygroup);
        if (!other) throw new Refusal("ENOKI_FORBIDDEN");
        const inner = operations.operationKind(operation);
        other.seen.push({ callId: operations.operationCallId(operation), kind: inner });
        return other.#answer(writer, id, inner, operation);
      }
      case OPERATION.fresh: {
        // Its data are as fresh as anybody can ask for.
        const { read } = operations.decodeFresh(payload);
        return this.#answer(writer, id, operations.operationKind(read), read);
      }
      case OPERATION.get:
        return replies.encodeGetReply(writer, id, this.#read(kind, payload));
      case OPERATION.entry:
        return replies.encodeEntryReply(writer, id, this.#read(kind, payload));
      case OPERATION.exists:
        return replies.encodeFlagReply(writer, id, this.#read(kind, payload) !== undefined);
      case OPERATION.delete: {
        const existed = this.#read(kind, payload) !== undefined;
        this.#delete(operations.decodeKeyOperation(payload).toString());
        return replies.encodeFlagReply(writer, id, existed);
      }
      case OPERATION.set:
        return replies.encodeSetReply(writer, id, this.#set(operations.decodeSet(payload)));
      case OPERATION.getMany: {
        const keys = operations.decodeGetMany(payload).map(String);
        return replies.encodeGetManyReply(
          writer,
          id,
          keys.map((key) => this.values.get(key)),
        );
      }
      case OPERATION.batch:
        return encodeBatchReply(writer, id, this.#batch(decodeBatch(payload)));
      case OPERATION.scan:
        return this.#scan(writer, id, operations.decodeScan(payload));
      default: {
        const request = operations.decodeJsonOperation(payload);
        this.seen.at(-1)!.json = request;
        return replies.encodeJsonReply(writer, id, this.#json(id, request));
      }
    }
  }

  #read(kind: number, payload: Buffer): Stored | undefined {
    const key = operations.decodeKeyOperation(payload).toString();
    this.#check(kind, key);
    return this.values.get(key);
  }

  #check(kind: number, key: string): void {
    const code = this.intercept?.(kind, key);
    if (code !== undefined) throw new Refusal(code);
  }

  #set(request: operations.SetRequest): string {
    const key = request.key.toString();
    this.#check(OPERATION.set, key);
    const old = this.values.get(key);
    const isConflict =
      (request.ifAbsent && old !== undefined) ||
      (request.ifVersion !== undefined && request.ifVersion !== old?.version);
    if (isConflict) throw new Refusal("ENOKI_VERSION_CONFLICT");
    return this.#put(
      key,
      { tag: request.tag as TypedValue["tag"], bytes: Buffer.from(request.value) },
      request.ttlMs,
    );
  }

  #put(key: string, value: TypedValue, ttlMs: number | undefined): string {
    const version = `v${++this.#lastVersion}`;
    const expiresAtMs = ttlMs === undefined ? 0 : Date.now() + ttlMs;
    this.values.set(key, { ...value, version, expiresAtMs });
    return version;
  }

  #delete(key: string): void {
    this.values.delete(key);
  }

  #scan(writer: FrameWriter, id: number, page: operations.ScanOperation<Buffer>): void {
    const start = page.start.toString();
    const end = page.end?.toString();
    const prefix = page.prefix?.toString() ?? "";
    let keys = [...this.values.keys()]
      .sort()
      .filter(
        (key) =>
          key.startsWith(prefix) &&
          (page.after ? key > start : key >= start) &&
          (end === undefined || key < end),
      );
    if (page.reverse) keys = keys.reverse();
    const limit = Math.min(page.limit || Infinity, this.#pageItemsMax);
    const taken = keys.slice(0, limit);
    const values = taken.map((key) => this.values.get(key)!);
    const reply = { more: keys.length > limit, keys: taken.map((key) => Buffer.from(key)), values };
    replies.encodeScanReply(writer, id, reply, page.keysOnly);
  }

  #json(id: number, request: Readonly<Record<string, unknown>>): unknown {
    const key = request["key"] as string;
    this.#check(OPERATION.json, key);
    switch (request["op"]) {
      case "increment":
      case "counter.add":
        return { value: this.#increment(key, request["n"] as number), version: "v" };
      case "counter.value":
        return { value: this.#number(key) };
      case "siblings":
        return { values: this.siblings(key) };
      case "watch":
        this.#watches.set(id, (request["prefix"] ?? request["start"]) as string);
        return {};
      case "unwatch":
        this.#watches.delete(request["watch"] as number);
        return {};
      default:
        return { value: [] };
    }
  }

  get watches(): ReadonlyMap<number, string> {
    return this.#watches;
  }

  #number(key: string): number {
    const stored = this.values.get(key);
    return stored ? Number(Buffer.from(stored.bytes).toString()) : 0;
  }

  #increment(key: string, n: number): number {
    const value = this.#number(key) + n;
    this.#put(key, { tag: TAG.json, bytes: Buffer.from(String(value)) }, undefined);
    return value;
  }

  #batch({ checks, writes, sends, once }: BatchRequest) {
    this.#check(OPERATION.batch, "");
    if (once !== null && this.#once.has(once)) {
      return { versions: writes.map(() => null), repeated: true };
    }
    for (const { key, version } of checks) {
      const current = this.values.get(key.toString())?.version ?? null;
      if (current !== version) throw new Refusal("ENOKI_VERSION_CONFLICT");
    }
    if (once !== null) this.#once.add(once);
    for (const { function: name, data, orderKey } of sends) {
      const sent = { function: name, data: toJsonValue(plain(data)) };
      this.sends.push(orderKey === undefined ? sent : { ...sent, orderKey });
    }
    const versions = writes.map((write) => {
      const key = write.key.toString();
      if (write.op === "set") return this.#put(key, plain(write.value), write.ttlMs);
      if (write.op === "increment") this.#increment(key, write.n);
      else this.#delete(key);
      return null;
    });
    return { versions, repeated: false };
  }

  /** The value under a key, for assertions. */
  read(key: string): JsonValue | undefined {
    const stored = this.values.get(key);
    return stored && toJsonValue(stored);
  }
}

/** A received value, copied. */
function plain({ tag, bytes }: { tag: number; bytes: Buffer }): TypedValue {
  return { tag: tag as TypedValue["tag"], bytes: Buffer.from(bytes) };
}

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}
