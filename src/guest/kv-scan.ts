import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { encodeScan, type Fresh, type ScanOperation } from "../channel/operations.js";
import { decodeScanReply } from "../channel/replies.js";
import { ASK_NODE, type DirectPage, type DirectReads } from "./direct-reads.js";
import { checkBound, decodeValue, parseFresh } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import type { Scan, ScanOptions, ScanRange } from "./types.js";

/** What `scan` and `keys` take first: a start key, or everything in one object. */
export type ScanArgument = string | ScanRange | undefined;

interface Page<T> {
  readonly items: readonly T[];
  readonly lastKey: string | undefined;
  readonly more: boolean;
}

/** A scan that fetches its pages as they are needed. */
export class KvScan<T> implements Scan<T> {
  readonly #operations: OperationPort;
  readonly #direct: DirectReads;
  readonly #range: ScanOperation<string>;
  readonly #fresh: Fresh | undefined;
  #remaining: number;
  #items: readonly T[] = [];
  #at = 0;
  /** Where the next page goes on; `undefined` before the first. */
  #lastKey: string | undefined;
  #isDone = false;
  /** Calls of `next` that overlap are answered in order. */
  #fetching: Promise<void> | undefined;

  /** @throws EnokiError when the bounds are not valid */
  constructor(
    operations: OperationPort,
    direct: DirectReads,
    from: ScanArgument,
    options: ScanOptions | undefined,
    keysOnly: boolean,
  ) {
    this.#operations = operations;
    this.#direct = direct;
    const range: ScanRange = typeof from === "object" ? from : { ...options, start: from ?? "" };
    this.#remaining = checkLimit(range.limit);
    this.#range = toOperation(range, keysOnly);
    this.#fresh = parseFresh(range);
    this.#isDone = this.#remaining === 0;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#at < this.#items.length) return Promise.resolve(this.#take());
    return this.#nextPage();
  }

  return(): Promise<IteratorResult<T>> {
    this.#isDone = true;
    this.#items = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for (;;) {
      for (; this.#at < this.#items.length; this.#at++) all.push(this.#items[this.#at] as T);
      if (this.#isDone) return all;
      await this.#fetchOnce();
    }
  }

  #take(): IteratorResult<T> {
    return { done: false, value: this.#items[this.#at++] as T };
  }

  async #nextPage(): Promise<IteratorResult<T>> {
    while (this.#at >= this.#items.length) {
      if (this.#isDone) return { done: true, value: undefined };
      await this.#fetchOnce();
    }
    return this.#take();
  }

  #fetchOnce(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const request = this.#nextRequest();
    const direct = this.#fresh ? ASK_NODE : this.#direct.page(request);
    const page =
      direct !== ASK_NODE
        ? toPage<T>(direct, request.keysOnly)
        : await this.#operations.send(
            (writer, id, callId) => encodeScan(writer, id, callId, request, this.#fresh),
            decodePage<T>,
            request.keysOnly,
          );
    if (this.#isDone) return;
    this.#items = page.items;
    this.#at = 0;
    this.#lastKey = page.lastKey ?? this.#lastKey;
    this.#remaining -= page.items.length;
    this.#isDone = !page.more || this.#remaining <= 0;
  }

  #nextRequest(): ScanOperation<string> {
    const limit = Math.min(this.#remaining, LIMITS.scanPageItemsMax);
    const lastKey = this.#lastKey;
    if (lastKey === undefined) return { ...this.#range, limit };
    if (this.#range.reverse) return { ...this.#range, limit, end: lastKey };
    return { ...this.#range, limit, start: lastKey, after: true };
  }
}

function toOperation(range: ScanRange, keysOnly: boolean): ScanOperation<string> {
  const { start, end, prefix, reverse } = range;
  if (prefix !== undefined && (start !== undefined || end !== undefined)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "prefix excludes start and end");
  }
  return {
    start: checkBound(start ?? ""),
    end: end === undefined ? undefined : checkBound(end),
    prefix: prefix === undefined ? undefined : checkBound(prefix),
    limit: 0,
    keysOnly,
    reverse: reverse === true,
    after: false,
  };
}

function checkLimit(limit: unknown): number {
  if (limit === undefined) return Infinity;
  if (typeof limit === "number" && Number.isSafeInteger(limit) && limit >= 0) return limit;
  throw new EnokiError("ENOKI_INVALID_INPUT", "limit is a whole number from 0 on");
}

function decodePage<T>(payload: Buffer, keysOnly: boolean): Page<T> {
  return toPage(decodeScanReply(payload, keysOnly, decodeValue), keysOnly);
}

function toPage<T>({ keys, values, more }: DirectPage, keysOnly: boolean): Page<T> {
  const items: readonly unknown[] = keysOnly ? keys : values.map((value, i) => [keys[i], value]);
  return { items: items as T[], lastKey: keys.at(-1), more };
}
