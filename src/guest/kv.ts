import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { OPERATION } from "../channel/frames.js";
import * as codec from "../channel/operations.js";
import * as replies from "../channel/replies.js";
import type { JsonValue } from "../channel/values.js";
import { KvBatch } from "./kv-batch.js";
import { ASK_NODE, DirectReads } from "./direct-reads.js";
import { counterOf, decodeNumber, mapOf, setOf } from "./kv-crdt.js";
import { KvScan, type ScanArgument } from "./kv-scan.js";
import { Updater, type UpdateFunction } from "./kv-update.js";
import { KvWatch } from "./kv-watch.js";
import {
  checkAmount,
  checkBound,
  checkKey,
  decodeJsonValue,
  decodeValue,
  encodeValue,
  parseFresh,
  parseTtlMs,
  refuseFresh,
} from "./kv-values.js";
import { operationsWithin, type OperationPort } from "./operations.js";
import {
  DELETE,
  type Batch,
  type Counter,
  type Entry,
  type Json,
  type Kv,
  type MapOf,
  type ReadOptions,
  type Scan,
  type ScanOptions,
  type ScanRange,
  type SetOf,
  type SetOptions,
  type Update,
  type Value,
  type WatchEvent,
} from "./types.js";

const NAME_LENGTH_MAX = 63;

/** The keygroup of a function, or another one, as its code sees it. */
export class Keygroup implements Kv {
  readonly DELETE: typeof DELETE = DELETE;
  readonly #operations: OperationPort;
  readonly #own: Keygroup;
  readonly #ownName: () => string;
  readonly #updater: Updater;
  readonly #direct: DirectReads;
  readonly #others = new Map<string, Keygroup>();

  constructor(
    operations: OperationPort,
    ownName: () => string,
    direct: DirectReads = new DirectReads(),
    own?: Keygroup,
  ) {
    this.#operations = operations;
    this.#direct = direct;
    this.#ownName = ownName;
    this.#own = own ?? this;
    this.#updater = new Updater(operations, this);
  }

  get<T>(key: string, defaultValue?: unknown, options?: ReadOptions): Promise<T> {
    return attempt(() => {
      const fresh = options && parseFresh(options);
      if (fresh) return this.#keyOperation(OPERATION.get, key, decodeGet, defaultValue, fresh);
      const found = this.#direct.get(checkKey(key), defaultValue);
      return found === ASK_NODE
        ? this.#keyOperation(OPERATION.get, key, decodeGet, defaultValue)
        : Promise.resolve(found);
    }) as Promise<T>;
  }

  entry<T>(key: string, options?: ReadOptions): Promise<Entry<T> | undefined> {
    return attempt(() => {
      const fresh = parseFresh(options);
      return this.#keyOperation(OPERATION.entry, key, decodeEntry<T>, undefined, fresh);
    });
  }

  set(key: string, value: Value, options?: SetOptions): Promise<string> {
    return attempt(() => {
      const request = toSetOperation(key, value, options);
      return this.#operations.send(
        (writer, id, callId) => codec.encodeSet(writer, id, callId, request),
        replies.decodeSetReply,
        undefined,
      );
    });
  }

  delete(key: string): Promise<boolean> {
    return this.#keyOperation(OPERATION.delete, key, replies.decodeFlagReply, undefined);
  }

  exists(key: string, options?: ReadOptions): Promise<boolean> {
    return attempt(() => {
      const fresh = parseFresh(options);
      const found = fresh ? ASK_NODE : this.#direct.exists(checkKey(key));
      return found === ASK_NODE
        ? this.#keyOperation(OPERATION.exists, key, replies.decodeFlagReply, undefined, fresh)
        : Promise.resolve(found);
    });
  }

  async getMany<T>(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, T>> {
    const fresh = parseFresh(options);
    const unique = [...new Set(keys)].map(checkKey);
    const found = new Map<string, T>();
    for (let at = 0; at < unique.length; at += LIMITS.scanPageItemsMax) {
      const some = unique.slice(at, at + LIMITS.scanPageItemsMax);
      const values = await this.#getSome<T>(some, fresh);
      for (const [key, value] of values) found.set(key, value);
    }
    return found;
  }

  scan<T>(from?: ScanArgument, options?: ScanOptions): Scan<[key: string, value: T]> {
    return new KvScan<[string, T]>(this.#operations, this.#direct, from, options, false);
  }

  keys(from?: string | ScanRange, options?: ScanOptions): Scan<string> {
    return new KvScan<string>(this.#operations, this.#direct, from, options, true);
  }

  update<T extends Value>(
    key: string,
    fn: (value: T | undefined) => Update<T> | Promise<Update<T>>,
    options?: { readonly once?: string },
  ): Promise<T | undefined> {
    return attempt(() =>
      this.#updater.update(checkKey(key), fn as UpdateFunction, options?.once),
    ) as Promise<T | undefined>;
  }

  increment(key: string, n = 1): Promise<number> {
    return attempt(() =>
      this.#operations.json(
        { op: "increment", key: checkKey(key), n: checkAmount(n) },
        decodeNumber,
      ),
    );
  }

  counter(key: string): Counter {
    return counterOf(this.#operations, checkKey(key));
  }

  setOf<T extends Json>(key: string): SetOf<T> {
    return setOf<T>(this.#operations, checkKey(key));
  }

  map(key: string): MapOf {
    return mapOf(this.#operations, checkKey(key));
  }

  batch(): Batch {
    return new KvBatch(this.#operations);
  }

  siblings<T>(key: string, options?: unknown): Promise<T[]> {
    return attempt(() => {
      refuseFresh("siblings()", options);
      return this.#operations.json({ op: "siblings", key: checkKey(key) }, decodeSiblings<T>);
    });
  }

  watch<T>(from: string | { readonly prefix: string }): AsyncIterableIterator<WatchEvent<T>> {
    const range =
      typeof from === "string" ? { start: checkBound(from) } : { prefix: checkBound(from.prefix) };
    return new KvWatch<T>(this.#operations, range);
  }

  keygroup(name: string): Kv {
    if (name === this.#ownName()) return this.#own;
    if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX) {
      throw new EnokiError("ENOKI_INVALID_NAME", "a keygroup's name has 1 to 63 characters");
    }
    // One object for each, so that updates of one key in this process queue instead of conflicting.
    const others = this.#own.#others;
    const known = others.get(name);
    if (known) return known;
    const other = new Keygroup(
      operationsWithin(this.#own.#operations, name),
      this.#ownName,
      undefined,
      this.#own,
    );
    others.set(name, other);
    return other;
  }

  async #getSome<T>(
    keys: readonly string[],
    fresh: codec.Fresh | undefined,
  ): Promise<Map<string, T>> {
    const found = fresh ? ASK_NODE : this.#direct.getMany(keys);
    if (found !== ASK_NODE) return found as Map<string, T>;
    return this.#operations.send(
      (writer, id, callId) => codec.encodeGetMany(writer, id, callId, keys, fresh),
      decodeMany<T>,
      keys,
    );
  }

  #keyOperation<T, D>(
    kind: number,
    key: string,
    decode: (payload: Buffer, detail: D) => T,
    detail: D,
    fresh?: codec.Fresh,
  ): Promise<T> {
    return attempt(() => {
      checkKey(key);
      return this.#operations.send(
        (writer, id, callId) => codec.encodeKeyOperation(writer, id, callId, kind, key, fresh),
        decode,
        detail,
      );
    });
  }
}

/** Turns an exception of a check into a rejection: every method of `kv` is awaitable. */
function attempt<T>(start: () => Promise<T>): Promise<T> {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

function toSetOperation(
  key: string,
  value: Value,
  options: SetOptions | undefined,
): codec.SetOperation {
  checkKey(key);
  const { tag, content } = encodeValue(value);
  if (!options) return { key, tag, value: content };
  const { ttl, ifVersion, ifAbsent } = options;
  if (ifVersion !== undefined && ifAbsent === true) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "ifVersion and ifAbsent exclude each other");
  }
  if (ifVersion !== undefined && typeof ifVersion !== "string") {
    throw new EnokiError("ENOKI_INVALID_INPUT", "ifVersion is a version: a string");
  }
  const ttlMs = ttl === undefined ? undefined : parseTtlMs(ttl);
  return { key, tag, value: content, ifVersion, ifAbsent: ifAbsent === true, ttlMs };
}

function decodeGet(payload: Buffer, defaultValue: unknown): unknown {
  return replies.decodeGetReply(payload, decodeValue, defaultValue);
}

function decodeEntry<T>(payload: Buffer): Entry<T> | undefined {
  const found = replies.decodeEntryReply(payload);
  if (!found) return undefined;
  return {
    value: decodeValue(found.tag, found.bytes, 0, found.bytes.length) as T,
    version: found.version,
    expiresAt: found.expiresAtMs === 0 ? undefined : new Date(found.expiresAtMs),
  };
}

function decodeMany<T>(payload: Buffer, keys: readonly string[]): Map<string, T> {
  const found = new Map<string, T>();
  for (const [i, value] of replies.decodeGetManyReply(payload, keys.length).entries()) {
    if (!value) continue;
    const { tag, bytes } = value;
    found.set(keys[i] as string, decodeValue(tag, bytes, 0, bytes.length) as T);
  }
  return found;
}

function decodeSiblings<T>(payload: Buffer): T[] {
  const { values } = replies.decodeJsonReply(payload) as { values: readonly JsonValue[] };
  return values.map((value) => decodeJsonValue(value) as T);
}
