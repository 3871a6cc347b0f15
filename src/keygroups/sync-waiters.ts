import type { Replica } from "../core/replica.js";

interface Waiter {
  /** The last own commit that must be synced. */
  readonly counter: number;
  readonly tell: () => void;
}

/** Who waits until what a strict replica has committed itself is on the disk. */
export class SyncWaiters {
  #waiters: Waiter[] = [];

  /** Calls `tell` once all own commits of now are synced: at once if they are. */
  add(replica: Replica, tell: () => void): void {
    const counter = replica.vector.get(replica.origin);
    if (replica.durableVector.get(replica.origin) >= counter) tell();
    else this.#waiters.push({ counter, tell });
  }

  /** Tells all whose commits are synced by now. */
  synced(replica: Replica): void {
    if (this.#waiters.length === 0) return;
    const durable = replica.durableVector.get(replica.origin);
    const waiting = this.#waiters;
    this.#waiters = waiting.filter(({ counter }) => counter > durable);
    for (const { counter, tell } of waiting) if (counter <= durable) tell();
  }
}
