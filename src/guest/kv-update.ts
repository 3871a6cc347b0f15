import { EnokiError } from "../core/errors.js";
import type { BatchReply, BatchWrite } from "../channel/batches.js";
import { batchValue, checkOnceKey } from "./kv-batch.js";
import type { OperationPort } from "./operations.js";
import { DELETE, type Kv, type Value } from "./types.js";

/** Conflicts before the tries are spread over time. */
const TRIES_AT_ONCE = 3;
const TRIES_MAX = 1000;
const BACKOFF_MS_MAX = 32;

/** What an author passes to `update`. */
export type UpdateFunction = (value: unknown) => unknown;

/** Read, change, write if unchanged: again until it succeeds. */
export class Updater {
  readonly #operations: OperationPort;
  readonly #kv: Kv;
  /** The last update of each key in this process: they queue here rather than conflict there. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(operations: OperationPort, kv: Kv) {
    this.#operations = operations;
    this.#kv = kv;
  }

  /** See `Kv.update`. */
  update(key: string, fn: UpdateFunction, once: string | undefined): Promise<unknown> {
    if (typeof fn !== "function") {
      throw new EnokiError("ENOKI_INVALID_INPUT", "update takes a key and a function");
    }
    const onceKey = once === undefined ? undefined : checkOnceKey(once);
    const previous = this.#last.get(key);
    const own = previous
      ? previous.then(() => this.#run(key, fn, onceKey))
      : this.#run(key, fn, onceKey);
    const settled = own.then(nothing, nothing);
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return own;
  }

  async #run(key: string, fn: UpdateFunction, once: string | undefined): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      const entry = await this.#kv.entry(key);
      const value = await fn(entry?.value);
      if (value === undefined) return undefined;
      try {
        if (once !== undefined) return await this.#writeOnce(key, value, entry?.version, once);
        await this.#write(key, value, entry?.version);
        return value === DELETE ? undefined : value;
      } catch (error) {
        if (!isConflict(error) || tries >= TRIES_MAX) throw error;
        if (tries > TRIES_AT_ONCE) await backOff(tries - TRIES_AT_ONCE);
      }
    }
  }

  async #write(key: string, value: unknown, version: string | undefined): Promise<void> {
    if (value !== DELETE) {
      const condition = version === undefined ? { ifAbsent: true } : { ifVersion: version };
      await this.#kv.set(key, value as Value, condition);
    } else if (version !== undefined) {
      await this.#commit(key, { op: "delete", key }, version, null);
    }
  }

  async #writeOnce(
    key: string,
    value: unknown,
    version: string | undefined,
    once: string,
  ): Promise<unknown> {
    const write: BatchWrite<string> =
      value === DELETE ? { op: "delete", key } : { op: "set", key, value: batchValue(value) };
    const { repeated } = await this.#commit(key, write, version, once);
    if (repeated) return this.#kv.get(key);
    return value === DELETE ? undefined : value;
  }

  #commit(
    key: string,
    write: BatchWrite<string>,
    version: string | undefined,
    once: string | null,
  ): Promise<BatchReply> {
    const checks = [{ key, version: version ?? null }];
    return this.#operations.batch({ checks, writes: [write], sends: [], once });
  }
}

function nothing(): void {}

function isConflict(error: unknown): boolean {
  return error instanceof EnokiError && error.code === "ENOKI_VERSION_CONFLICT";
}

function backOff(step: number): Promise<void> {
  const delayMs = Math.random() * Math.min(BACKOFF_MS_MAX, 2 ** Math.min(step, 10));
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
