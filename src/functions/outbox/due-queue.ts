import type { InvocationId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";

interface Due {
  readonly id: InvocationId;
  readonly atMs: number;
  readonly order: number;
}

/** Longest timer that Node can set. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Invocations by the time at which they may be tried; a binary heap with one timer. */
export class DueQueue {
  readonly #heap: Due[] = [];
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #order = 0;
  #isStopped = false;

  /** `onDue` is called, never from within {@link add}, when something may be due. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(id: InvocationId, atMs: number): void {
    this.#heap.push({ id, atMs, order: this.#order++ });
    this.#up(this.#heap.length - 1);
    this.#arm();
  }

  /** Takes the first invocation whose time has come. */
  takeDue(): InvocationId | undefined {
    const first = this.#heap[0];
    if (!first || first.atMs > this.#clock.nowMs()) {
      this.#arm();
      return undefined;
    }
    const last = this.#heap.pop() as Due;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    return first.id;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const first = this.#heap[0];
    if (!first || this.#isStopped || first.atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = first.atMs;
    const waitMs = Math.min(Math.max(0, first.atMs - this.#clock.nowMs()), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#onDue();
    }, waitMs);
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(this.#heap[index] as Due, this.#heap[parent] as Due)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #down(start: number): void {
    let index = start;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        const candidate = this.#heap[child];
        if (candidate && isBefore(candidate, this.#heap[least] as Due)) least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a] as Due;
    this.#heap[a] = this.#heap[b] as Due;
    this.#heap[b] = kept;
  }
}

function isBefore(left: Due, right: Due): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
