import type { Call } from "./call.js";

const SLOT_BITS = 12;
const SLOTS_MAX = 1 << SLOT_BITS;
const GENERATIONS = 2 ** (32 - SLOT_BITS);

/**
 * The calls that an instance runs, by the number it knows them by. A number names a slot and how
 * often the slot was used, so a late frame about an ended call never meets its successor.
 *
 * why not a Map: a Map that is filled and emptied all the time is rebuilt again and again, and its
 * discarded tables keep what they held alive until the next full collection.
 */
export class CallSlots {
  readonly #calls: (Call | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes a call in and gives its number, which is never 0. */
  add(call: Call): number {
    const slot = this.#free.pop() ?? this.#calls.length;
    if (slot >= SLOTS_MAX) throw new RangeError(`an instance runs at most ${SLOTS_MAX} calls`);
    const generation = ((this.#generations[slot] ?? 0) + 1) % GENERATIONS || 1;
    this.#generations[slot] = generation;
    this.#calls[slot] = call;
    this.#size += 1;
    return generation * SLOTS_MAX + slot;
  }

  /** The call with that number, if it still runs. */
  get(callId: number): Call | undefined {
    const slot = callId % SLOTS_MAX;
    if (this.#generations[slot] !== Math.floor(callId / SLOTS_MAX)) return undefined;
    return this.#calls[slot];
  }

  /** Takes a call out; its number is given to no other. */
  delete(callId: number): void {
    if (this.get(callId) === undefined) return;
    const slot = callId % SLOTS_MAX;
    this.#calls[slot] = undefined;
    this.#free.push(slot);
    this.#size -= 1;
  }

  /** The calls that run, in no order. */
  all(): Call[] {
    return this.#calls.filter((call) => call !== undefined);
  }

  clear(): void {
    this.#calls.fill(undefined);
    this.#free.length = 0;
    for (let slot = this.#calls.length - 1; slot >= 0; slot--) this.#free.push(slot);
    this.#size = 0;
  }
}
