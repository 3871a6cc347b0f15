import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { BatchOperation, BatchWrite } from "../channel/batches.js";
import type { ValueView } from "../channel/replies.js";
import { checkAmount, checkKey, encodeValue, parseTtlMs } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import type { Batch, BatchResult, Value } from "./types.js";

/** A value as it lies in a batch: a copy, for the batch may be committed later. @throws EnokiError */
export function batchValue(value: unknown): ValueView {
  const { tag, content } = encodeValue(value);
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : Buffer.from(content);
  return { tag, bytes };
}

/** Gathers the parts of a batch. Checks happen as the parts are given. */
export class KvBatch implements Batch {
  readonly #operations: OperationPort;
  readonly #checks: BatchOperation<string>["checks"][number][] = [];
  readonly #writes: BatchWrite<string>[] = [];
  readonly #sends: BatchOperation<string>["sends"][number][] = [];
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
    const write = { op: "set", key: checkKey(key), value: batchValue(value) } as const;
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
    const send = { function: functionName, data: batchValue(data) };
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
    return this.#operations.batch({
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
