import { EnokiError } from "../core/errors.js";

const SLOT_BITS = 18;
const SLOTS_MAX = 1 << SLOT_BITS;
const GENERATIONS = 2 ** (32 - SLOT_BITS);

/**
 * What is under way on a channel, by the 32-bit number that its frames carry. A number names a slot
 * and how often the slot was used, so a late frame about something that has ended never meets its
 * successor. Numbers are never 0.
 *
 * why not a Map: a Map that is filled and emptied all the time is rebuilt again and again, and its
 * discarded tables keep what they held alive until the next full collection.
 */
export class SlotTable<T extends object> {
  readonly #values: (T | undefined)[] = [];
  readonly #numbers: number[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes a value in and gives its number. @throws EnokiError `ENOKI_QUEUE_FULL` above 262,144 at once */
  add(value: T): number {
    const slot = this.#free.pop() ?? this.#values.length;
    if (slot >= SLOTS_MAX) {
      throw new EnokiError("ENOKI_QUEUE_FULL", `at most ${SLOTS_MAX} can be under way at once`);
    }
    const generation = (Math.floor((this.#numbers[slot] ?? 0) / SLOTS_MAX) + 1) % GENERATIONS || 1;
    const number = generation * SLOTS_MAX + slot;
    this.#numbers[slot] = number;
    this.#values[slot] = value;
    this.#size += 1;
    return number;
  }

  /** The value with that number, if it is still here. */
  get(number: number): T | undefined {
    const slot = number % SLOTS_MAX;
    return this.#numbers[slot] === number ? this.#values[slot] : undefined;
  }

  /** Takes a value out and returns it; its number stands for nothing from now on. */
  take(number: number): T | undefined {
    const value = this.get(number);
    if (value === undefined) return undefined;
    const slot = number % SLOTS_MAX;
    this.#values[slot] = undefined;
    this.#free.push(slot);
    this.#size -= 1;
    return value;
  }

  /** Everything that is here, in no order. */
  all(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** Takes everything out and returns it. */
  takeAll(): T[] {
    const values = this.all();
    this.#values.fill(undefined);
    this.#free.length = 0;
    for (let slot = this.#values.length - 1; slot >= 0; slot--) this.#free.push(slot);
    this.#size = 0;
    return values;
  }
}

/**
 * The other end's view of a {@link SlotTable}: what is under way here by the numbers that the peer
 * gave. Of two numbers for one slot the later one counts.
 */
export class PeerSlots<T extends object> {
  readonly #values: (T | undefined)[] = [];
  readonly #numbers: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  put(number: number, value: T): void {
    const slot = number % SLOTS_MAX;
    if (this.#values[slot] === undefined) this.#size += 1;
    this.#numbers[slot] = number;
    this.#values[slot] = value;
  }

  get(number: number): T | undefined {
    const slot = number % SLOTS_MAX;
    return this.#numbers[slot] === number ? this.#values[slot] : undefined;
  }

  /** Takes a value out; a number that stands for nothing is ignored. */
  delete(number: number): void {
    if (this.get(number) === undefined) return;
    this.#values[number % SLOTS_MAX] = undefined;
    this.#size -= 1;
  }

  /** Everything that is here, in no order. */
  all(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }
}
