import { createPrng } from "../../../src/base/prng.js";
import type { Storage } from "../../../src/ports/storage.js";

const COUNTER_KEY = Buffer.from("counter");

/** What transaction number `number` does: the state after it follows from the number alone. */
function effectsOf(number: number): { puts: [string, Buffer][]; deletes: string[] } {
  const prng = createPrng(number);
  const sizeBytes = prng.below(8) === 0 ? 4000 + prng.below(16_000) : prng.below(300);
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(number);
  return {
    puts: [
      ["counter", counter],
      [`slot-${number % 61}`, Buffer.alloc(sizeBytes, number % 251)],
      [`scattered-${prng.below(2000)}`, counter],
      [`recent-${number}`, counter],
    ],
    deletes: [`recent-${number - 50}`],
  };
}

/** Runs transaction number `number` on a store. */
export function writeNumbered(store: Storage, number: number): void {
  const { puts, deletes } = effectsOf(number);
  store.transact((transaction) => {
    for (const [key, value] of puts) transaction.put(Buffer.from(key), value);
    for (const key of deletes) transaction.delete(Buffer.from(key));
  });
}

/** The number of the last transaction that a store has; 0 if none. */
export function lastNumber(store: Storage): number {
  const counter = store.get(COUNTER_KEY);
  return counter ? Buffer.from(counter).readUInt32BE() : 0;
}

/** What a store has to hold after the transactions 1 to some number. */
export class Model {
  readonly #rows = new Map<string, Buffer>();
  #number = 0;

  /** Returns what is wrong with a store, `undefined` if it holds exactly the state of its counter. */
  findFault(store: Storage): string | undefined {
    const number = lastNumber(store);
    if (number < this.#number) return `went back from transaction ${this.#number} to ${number}`;
    while (this.#number < number) this.#apply(++this.#number);
    const rows = store.range({});
    if (rows.length !== this.#rows.size)
      return `${rows.length} rows, not ${this.#rows.size}, after ${number}`;
    for (const { key, value } of rows) {
      const name = Buffer.from(key).toString();
      if (!this.#rows.get(name)?.equals(value))
        return `${name} has the wrong value after ${number}`;
      const single = store.get(key);
      if (!single || Buffer.compare(single, value) !== 0)
        return `get and range differ on ${name} after ${number}`;
    }
    return undefined;
  }

  #apply(number: number): void {
    const { puts, deletes } = effectsOf(number);
    for (const [key, value] of puts) this.#rows.set(key, value);
    for (const key of deletes) this.#rows.delete(key);
  }
}
