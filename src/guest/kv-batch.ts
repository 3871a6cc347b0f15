import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { decodeJsonReply } from "../channel/replies.js";
import type { JsonValue } from "../channel/values.js";
import { checkAmount, checkKey, encodeJsonValue, parseTtlMs } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import type { Batch, BatchResult, Value } from "./types.js";

/** One write of a batch, as it travels. */
export type BatchWrite =
  | { readonly op: "set"; readonly key: string; readonly value: JsonValue; readonly ttlMs?: number }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "increment"; readonly key: string; readonly n: number };

/** A batch, as it travels. */
export interface BatchRequest {
  readonly checks: readonly { readonly key: string; readonly version: string | null }[];
  readonly writes: readonly BatchWrite[];
  readonly sends: readonly {
    readonly function: string;
    readonly data: JsonValue;
    readonly orderKey?: string;
  }[];
  readonly once: string | null;
}

/** Sends a batch. */
export function commitBatch(operations: OperationPort, batch: BatchRequest): Promise<BatchResult> {
  return operations.json(
    { op: "batch", ...batch },
    (payload) => decodeJsonReply(payload) as unknown as BatchResult,
  );
}

/** Gathers the parts of a batch. Checks happen as the parts are given. */
export class KvBatch implements Batch {
  readonly #operations: OperationPort;
  readonly #checks: BatchRequest["checks"][number][] = [];
  readonly #writes: BatchWrite[] = [];
  readonly #sends: BatchRequest["sends"][number][] = [];
  #once: string | null = null;
  #isCommitted = false;

  constructor(operations: OperationPort) {
    this.#operations = operations;
  }

  check(key: string, version: string | null | undefined): this {
    if (version !== null && version !== undefined && typeof version !== "string") {
      throw new EnokiError("ENOKI_INVALID_INPUT", "a version is what entry or set gave, or null");
    }
    this.#checks.push({ key: checkKey(key), version: version ?? null });
    return this;
  }

  set(key: string, value: Value, options?: { readonly ttl?: string }): this {
    const write = { op: "set", key: checkKey(key), value: encodeJsonValue(value) } as const;
    const ttl = options?.ttl;
    this.#writes.push(ttl === undefined ? write : { ...write, ttlMs: parseTtlMs(ttl) });
    return this;
  }

  delete(key: string): this {
    this.#writes.push({ op: "delete", key: checkKey(key) });
    return this;
  }

  increment(key: string, n = 1): this {
    this.#writes.push({ op: "increment", key: checkKey(key), n: checkAmount(n) });
    return this;
  }

  send(
    functionName: string,
    data: Value = null,
    { orderKey }: { readonly orderKey?: string } = {},
  ): this {
    if (typeof functionName !== "string") {
      throw new EnokiError("ENOKI_INVALID_NAME", "the name of a function is a string");
    }
    const send = { function: functionName, data: encodeJsonValue(data) };
    this.#sends.push(orderKey === undefined ? send : { ...send, orderKey });
    return this;
  }

  once(idempotencyKey: string): this {
    this.#once = checkOnceKey(idempotencyKey);
    return this;
  }

  async commit(): Promise<BatchResult> {
    if (this.#isCommitted) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "this batch was committed already");
    }
    const size = this.#checks.length + this.#writes.length + this.#sends.length;
    if (size > LIMITS.batchOperationsMax) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "a batch has at most 1,000 parts");
    }
    this.#isCommitted = true;
    return commitBatch(this.#operations, {
      checks: this.#checks,
      writes: this.#writes,
      sends: this.#sends,
      once: this.#once,
    });
  }
}

/** Checks the key of an effect that happens once. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function checkOnceKey(key: unknown): string {
  const isValid =
    typeof key === "string" &&
    key !== "" &&
    Buffer.byteLength(key) <= LIMITS.idempotencyKeyBytesMax;
  if (isValid) return key;
  throw new EnokiError("ENOKI_INVALID_INPUT", "once takes a string of 1 to 256 bytes");
}
