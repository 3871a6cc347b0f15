/** A call given ahead is worth it only while calls take less than this, on average. */
const BRISK_MS = 5;
/** Weight of the newest call in that average. */
const WEIGHT = 1 / 8;
/** What a call that had to be given back counts for: some twenty quick ones in a row outweigh it. */
const SLOW_MS = 50;
/** Most calls ahead where calls may wait for something: then another instance runs them sooner. */
const AHEAD_OF_WAITING_MAX = 3;

/**
 * The calls that an instance which runs one at a time has been given, in the order in which it runs
 * them: the first has begun, the others are *ahead*. A call is given ahead so that its frames share
 * system calls with those of its neighbours and the process never sleeps between two calls.
 *
 * Invariant: nothing ahead has begun, for answers come in the order of the calls. So what is ahead
 * when the process dies, or gives it back, can run elsewhere.
 */
export class CallLine {
  readonly #ids: number[] = [];
  readonly #aheadMax: number;
  #begunAtMs = 0;
  #averageMs = 0;
  /** The call that told the guest to watch its calls from now on. */
  #guardedFrom: number | undefined;
  /** True once that call was answered: the guest watches, and gives back what has to wait. */
  #isGuarded = false;
  /**
   * True while the guest says that its calls wait for nothing. Then they gain nothing from another
   * instance where each processor has one, and go faster through one whose memory is warm.
   */
  isSteady = false;

  /** `aheadMax`: how many the guest takes ahead; 0 = none. */
  constructor(aheadMax: number) {
    this.#aheadMax = aheadMax;
  }

  /** Calls that have not begun. */
  get ahead(): number {
    return Math.max(0, this.#ids.length - 1);
  }

  /** True while one more may be given ahead. */
  get hasRoomAhead(): boolean {
    const most = this.isSteady ? this.#aheadMax : Math.min(AHEAD_OF_WAITING_MAX, this.#aheadMax);
    return this.#isGuarded && this.#averageMs < BRISK_MS && this.ahead < most;
  }

  /** True for a call that has not begun. */
  isAhead(id: number): boolean {
    return this.#ids.indexOf(id) > 0;
  }

  /** Notes a call that is given to the guest. Returns whether it begins at once. */
  add(id: number, nowMs: number): boolean {
    this.#ids.push(id);
    if (this.#ids.length > 1) return false;
    this.#begunAtMs = nowMs;
    return true;
  }

  /** Whether this call has to tell the guest to watch its calls: one of them does, once. */
  asksForGuard(id: number): boolean {
    if (this.#guardedFrom !== undefined) return false;
    this.#guardedFrom = id;
    return true;
  }

  /** Notes that a call was answered. Returns the one that begins now. */
  answered(id: number, nowMs: number): number | undefined {
    if (this.#ids[0] === id) {
      if (id === this.#guardedFrom) this.#isGuarded = true;
      this.#averageMs += (nowMs - this.#begunAtMs - this.#averageMs) * WEIGHT;
    }
    return this.#remove(id, nowMs);
  }

  /** Notes that the guest gave a call back. Returns the one that begins now, if another does. */
  returned(id: number, nowMs: number): number | undefined {
    this.#averageMs = Math.max(this.#averageMs, SLOW_MS);
    return this.#remove(id, nowMs);
  }

  /** All that have not begun, in order. */
  takeAhead(): number[] {
    return this.#ids.splice(1);
  }

  #remove(id: number, nowMs: number): number | undefined {
    const index = this.#ids.indexOf(id);
    if (index < 0) return undefined;
    this.#ids.splice(index, 1);
    if (index > 0) return undefined;
    this.#begunAtMs = nowMs;
    return this.#ids[0];
  }
}
