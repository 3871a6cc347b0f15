import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { Timers } from "../ports/timers.js";

interface Waiter<T> {
  readonly wanted: T;
  readonly settle: (error: EnokiError | undefined) => void;
}

/** Who waits until a replica has come to something, each for a while, and not too many at once. */
export class BoundedWaiters<T> {
  readonly #timers: Timers;
  /** What waits for what, for an error. */
  readonly #who: string;
  readonly #waiters = new Set<Waiter<T>>();

  constructor(timers: Timers, who: string) {
    this.#timers = timers;
    this.#who = who;
  }

  /**
   * Resolves once {@link check} finds that it has come to `wanted`. After `withinMs`, `late` says why
   * it has not, or that it has.
   * @throws EnokiError what `check` or `late` say, `ENOKI_QUEUE_FULL` when too many wait already
   */
  async wait(wanted: T, withinMs: number, late: () => EnokiError | undefined): Promise<void> {
    if (this.#waiters.size >= LIMITS.queueLengthMax) {
      throw new EnokiError("ENOKI_QUEUE_FULL", `${this.#waiters.size} ${this.#who}`);
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter<T> = {
        wanted,
        settle: (error) => {
          cancel();
          this.#waiters.delete(waiter);
          if (error) reject(error);
          else resolve();
        },
      };
      const cancel = this.#timers.after(withinMs, () => waiter.settle(late()));
      this.#waiters.add(waiter);
    });
  }

  /** Judges all who wait, for something has changed: `undefined` = it has come to that. */
  check(judge: (wanted: T) => "wait" | EnokiError | undefined): void {
    for (const { wanted, settle } of this.#waiters) {
      const outcome = judge(wanted);
      if (outcome !== "wait") settle(outcome);
    }
  }

  /** Whether anybody waits. */
  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }
}
