import type { Timers } from "../../ports/timers.js";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
  isCancelled: boolean;
}

/** Microtasks that follow from one another within one event: a sync, its waiters, and theirs. */
const DRAIN_ROUNDS = 24;

/**
 * The clock of a simulation and everything that will happen in it, in the order of time and, within
 * one moment, in the order in which it was asked for.
 */
export class VirtualTime implements Timers {
  nowMs = 0;
  /** Events so far. */
  eventsTotal = 0;
  readonly #heap: Event[] = [];
  #order = 0;
  #hasPromises = false;
  /** Promises that may be settled by any event. */
  #awaited = 0;

  after(delayMs: number, work: () => void): () => void {
    const atMs = this.nowMs + Math.max(0, delayMs);
    const event: Event = { atMs, order: this.#order++, work, isCancelled: false };
    this.#push(event);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Says that promises were settled: what waits for them runs before the next event. */
  settled(): void {
    this.#hasPromises = true;
  }

  /**
   * Passes on what `promise` comes to, or `undefined` after `withinMs`. `isForeign`: any event may settle
   * it, so that until then all that waits for promises runs between any two events.
   */
  async within<T>(
    promise: Promise<T>,
    withinMs: number,
    isForeign: boolean,
  ): Promise<T | undefined> {
    let cancel = (): void => {};
    const late = new Promise<undefined>((resolve) => {
      cancel = this.after(withinMs, () => {
        resolve(undefined);
        this.settled();
      });
    });
    if (isForeign) this.#awaited += 1;
    try {
      return await Promise.race([promise, late]);
    } finally {
      if (isForeign) this.#awaited -= 1;
      cancel();
    }
  }

  /** Resolves after `delayMs`. */
  async sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.after(delayMs, () => {
        resolve();
        this.settled();
      });
    });
  }

  /** Lets everything happen until `untilMs`, or until `isOver` says so. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await this.#drain();
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) break;
      this.#pop();
      if (next.isCancelled) continue;
      this.nowMs = next.atMs;
      this.eventsTotal += 1;
      next.work();
      if (this.#hasPromises || this.#awaited > 0) await this.#drain();
      if (isOver()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  async #drain(): Promise<void> {
    this.#hasPromises = false;
    // why not setImmediate: microtasks run in a fixed order, and this costs a tenth.
    for (let i = 0; i < DRAIN_ROUNDS; i++) await undefined;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent] as Event, event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as Event)) child += 1;
      if (isBefore(last, heap[child] as Event)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
