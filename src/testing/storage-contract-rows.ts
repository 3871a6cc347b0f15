import { expect } from "vitest";
import { compareBytes } from "../base/bytes.js";
import type { Prng } from "../base/prng.js";
import type { Row, Storage, StorageDriver } from "../ports/storage.js";

/** What the tests of the storage contract work on: both change from test to test. */
export interface Context {
  store(): Storage;
  driver(): StorageDriver;
}

/** Runs one random transaction on a store and on the model of it; some fail on purpose. */
export function applyRandomTransaction(
  prng: Prng,
  store: Storage,
  model: Map<string, number[]>,
): void {
  const draft = new Map(model);
  const fails = prng.below(10) === 0;
  const work = (): void =>
    store.transact((transaction) => {
      for (let count = prng.below(4); count >= 0; count--) {
        const bytes = Array.from({ length: 1 + prng.below(3) }, () =>
          prng.pick([0, 1, 127, 128, 255]),
        );
        if (prng.below(3) === 0) {
          transaction.delete(key(...bytes));
          draft.delete(bytes.join());
        } else {
          const value = Array.from({ length: prng.below(40) }, () => prng.below(256));
          transaction.put(key(...bytes), key(...value));
          draft.set(bytes.join(), value);
        }
      }
      if (fails) throw new RangeError("planned");
    });
  if (fails) {
    expect(work).toThrow("planned");
    return;
  }
  work();
  model.clear();
  for (const [bytes, value] of draft) model.set(bytes, value);
}

/** The rows that a store like the model has. */
export function modelRows(model: Map<string, number[]>): number[][][] {
  const rows = [...model].map(([bytes, value]) => [bytes.split(",").map(Number), value]);
  return rows.sort(([left = []], [right = []]) => compareBytes(key(...left), key(...right)));
}

/** A byte string of the bytes given. */
export function key(...bytes: number[]): Uint8Array {
  return new Uint8Array(bytes);
}

/** Writes one row in a transaction of its own. */
export function put(store: Storage, keyBytes: number[], valueBytes: number[]): void {
  store.transact((transaction) => transaction.put(key(...keyBytes), key(...valueBytes)));
}

/** Plain numbers, which compare by value whatever class the bytes have. */
export function bytesOf(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes && [...bytes];
}

/** Rows as plain numbers: key and value of each. */
export function plainRows(rows: readonly Row[]): number[][][] {
  return rows.map((row) => [[...row.key], [...row.value]]);
}
