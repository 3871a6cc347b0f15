import { BoundHistory } from "../core/bound-history.js";
import { EnokiError } from "../core/errors.js";
import type { KeygroupName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { Clock } from "../ports/clock.js";
import type { Timers } from "../ports/timers.js";

interface Waiter {
  readonly maxMs: number;
  readonly settle: (error: EnokiError | undefined) => void;
}

/** What a {@link Freshness} is made from. */
export interface FreshnessOptions {
  readonly keygroup: KeygroupName;
  /** The bound of a read now, as those know who replicate the keygroup; 0 if nobody does. */
  readonly boundMs: () => number;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** How stale reads of a replica may be, and who waits until they are fresh enough. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #history = new BoundHistory();
  readonly #waiters = new Set<Waiter>();

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  /**
   * A bound of how long ago what is read now may have been overwritten at another member; 0 where
   * there is none, infinite while nothing is known of one.
   */
  get boundMs(): number {
    return this.#options.boundMs();
  }

  /** The greatest such bound of reads at any moment from `sinceMs` on, on the monotonic clock. */
  greatestSinceMs(sinceMs: number): number {
    const { clock, boundMs } = this.#options;
    return this.#history.greatestMs(sinceMs, clock.monotonicMs(), boundMs());
  }

  /**
   * Resolves once a read is at most that stale; `undefined` if it is already.
   * @throws EnokiError `ENOKI_STALE` after `withinMs`, `ENOKI_QUEUE_FULL` when too many wait already
   */
  enter(maxMs: number, withinMs: number): Promise<void> | undefined {
    if (this.boundMs <= maxMs) return undefined;
    if (this.#waiters.size >= LIMITS.queueLengthMax) {
      const what = `${this.#waiters.size} reads are waiting for fresher data`;
      return Promise.reject(new EnokiError("ENOKI_QUEUE_FULL", what));
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        maxMs,
        settle: (error) => {
          cancel();
          this.#waiters.delete(waiter);
          if (error) reject(error);
          else resolve();
        },
      };
      const cancel = this.#options.timers.after(withinMs, () =>
        waiter.settle(this.boundMs <= maxMs ? undefined : this.tooStale(maxMs)),
      );
      this.#waiters.add(waiter);
    });
  }

  /** Why a read that may be at most that stale is refused. */
  tooStale(maxMs: number): EnokiError {
    const { keygroup } = this.#options;
    const { boundMs } = this;
    const known = Number.isFinite(boundMs)
      ? `may be ${Math.ceil(boundMs)} ms old`
      : "may be of any age: a member has not been heard of";
    const what = `data of keygroup "${keygroup}" here ${known}; at most ${maxMs} ms were asked for`;
    return new EnokiError("ENOKI_STALE", what);
  }

  /** Something has been learnt of the other members, or applied here. */
  changed(): void {
    const { boundMs } = this;
    this.#history.note(this.#options.clock.monotonicMs(), boundMs);
    for (const { maxMs, settle } of this.#waiters) if (boundMs <= maxMs) settle(undefined);
  }
}
