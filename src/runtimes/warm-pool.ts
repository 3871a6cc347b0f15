/** How a pool gets, checks and ends its members. */
export interface WarmPoolOptions<T> {
  readonly start: () => Promise<T>;
  readonly isAlive: (member: T) => boolean;
  readonly stop: (member: T) => Promise<void>;
  /** Members kept while the pool is in use. */
  readonly sizeMax: number;
  /** Without a take for this long, the pool ends its members. */
  readonly idleMs: number;
  /** Refilling waits this long, so that it does not compete with the launch that emptied the pool. */
  readonly refillDelayMs: number;
  readonly onStartFailed: (cause: unknown) => void;
}

/**
 * Processes started ahead of need. It starts with none, keeps one from the first take on, and up to
 * `sizeMax` when takes have found it empty; unused, it shrinks back to none.
 */
export class WarmPool<T> {
  readonly #options: WarmPoolOptions<T>;
  readonly #members: T[] = [];
  readonly #starting = new Set<Promise<void>>();
  #target = 0;
  #refillTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: WarmPoolOptions<T>) {
    this.#options = options;
  }

  /** Members that wait now. */
  get size(): number {
    return this.#members.length;
  }

  /** Takes a living member, if one waits, and sees to it that the next take finds one. */
  take(): T | undefined {
    let taken: T | undefined;
    while (taken === undefined && this.#members.length > 0) {
      const candidate = this.#members.shift()!;
      if (this.#options.isAlive(candidate)) taken = candidate;
      else void this.#options.stop(candidate);
    }
    const isMiss = taken === undefined;
    this.#target = Math.min(
      this.#options.sizeMax,
      Math.max(1, this.#target + (isMiss && this.#target > 0 ? 1 : 0)),
    );
    this.#rearm();
    return taken;
  }

  /** Resolves when no start is under way; for tests and measurements. */
  async settled(): Promise<void> {
    while (this.#refillTimer !== undefined || this.#starting.size > 0) {
      if (this.#refillTimer !== undefined) this.#refill();
      await Promise.all(this.#starting);
    }
  }

  /** Ends every member, also those being started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refillTimer);
    this.#refillTimer = undefined;
    await this.#shrink();
    await Promise.all(this.#starting);
  }

  #rearm(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.#shrink(), this.#options.idleMs).unref();
    this.#refillTimer ??= setTimeout(() => this.#refill(), this.#options.refillDelayMs).unref();
  }

  #refill(): void {
    clearTimeout(this.#refillTimer);
    this.#refillTimer = undefined;
    while (this.#members.length + this.#starting.size < this.#target) {
      const start: Promise<void> = this.#startOne().finally(() => this.#starting.delete(start));
      this.#starting.add(start);
    }
  }

  async #startOne(): Promise<void> {
    try {
      const member = await this.#options.start();
      if (this.#isClosed || this.#members.length >= this.#target) await this.#options.stop(member);
      else this.#members.push(member);
    } catch (cause) {
      // why: no retry here; the next take starts its own and schedules another refill.
      this.#options.onStartFailed(cause);
    }
  }

  async #shrink(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#target = 0;
    await Promise.all(this.#members.splice(0).map((member) => this.#options.stop(member)));
  }
}
