import { BoundHistory } from "../core/bound-history.js";
import { EnokiError } from "../core/errors.js";
import type { KeygroupName } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Timers } from "../ports/timers.js";
import { BoundedWaiters } from "./bounded-waiters.js";

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
  readonly #waiters: BoundedWaiters<number>;

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#waiters = new BoundedWaiters(options.timers, "reads are waiting for fresher data");
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
    return this.#waiters.wait(maxMs, withinMs, () =>
      this.boundMs <= maxMs ? undefined : this.tooStale(maxMs),
    );
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
    this.#waiters.check((maxMs) => (boundMs <= maxMs ? undefined : "wait"));
  }
}
