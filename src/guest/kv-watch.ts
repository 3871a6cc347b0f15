import { EnokiError, type ErrorCode } from "../core/errors.js";
import { parseJsonObject } from "../channel/operations.js";
import type { JsonValue } from "../channel/values.js";
import { decodeJsonValue } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import type { WatchEvent } from "./types.js";

/** Events that may wait for a slow reader before its watch ends with an error. */
const WAITING_MAX = 10_000;

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<WatchEvent<T>>) => void;
  readonly reject: (error: Error) => void;
}

/** A watch from the moment it is made until its loop is left. */
export class KvWatch<T> implements AsyncIterableIterator<WatchEvent<T>> {
  readonly #operations: OperationPort;
  readonly #id: number;
  readonly #started: Promise<void>;
  readonly #events: WatchEvent<T>[] = [];
  readonly #waiters: Waiter<T>[] = [];
  #error: Error | undefined;
  #isDone = false;

  constructor(
    operations: OperationPort,
    range: { readonly start: string } | { readonly prefix: string },
  ) {
    this.#operations = operations;
    const { id, started } = operations.watch({ op: "watch", ...range }, (payload) =>
      this.#onEvent(payload),
    );
    this.#id = id;
    this.#started = started;
    started.catch((error: unknown) => this.#fail(error as Error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchEvent<T>>> {
    await this.#started;
    const event = this.#events.shift();
    if (event) return { done: false, value: event };
    if (this.#error) throw this.#error;
    if (this.#isDone) return { done: true, value: undefined };
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<WatchEvent<T>>> {
    this.#isDone = true;
    this.#events.length = 0;
    for (const { resolve } of this.#waiters.splice(0)) resolve({ done: true, value: undefined });
    await this.#operations.unwatch(this.#id);
    return { done: true, value: undefined };
  }

  #onEvent(payload: Buffer): void {
    const { key, value, version, error } = parseJsonObject(payload, 0);
    if (error !== undefined) {
      const { code, message } = error as { code: ErrorCode; message: string };
      this.#end(new EnokiError(code, message));
      return;
    }
    const event: WatchEvent<T> = {
      key: key as string,
      value: value === null ? undefined : (decodeJsonValue(value as JsonValue) as T),
      version: version as string,
    };
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve({ done: false, value: event });
    else if (this.#events.push(event) > WAITING_MAX) {
      this.#end(new EnokiError("ENOKI_QUEUE_FULL", "the watch is read too slowly"));
    }
  }

  #end(error: Error): void {
    this.#fail(error);
    void this.#operations.unwatch(this.#id).catch(() => {});
  }

  #fail(error: Error): void {
    this.#error = error;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
