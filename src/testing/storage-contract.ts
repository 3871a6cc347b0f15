import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AssertionError } from "../base/assert.js";
import { createPrng } from "../base/prng.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import { declareRanges, declareReads, declareSizes } from "./storage-contract-reads.js";
import {
  applyRandomTransaction,
  bytesOf,
  type Context,
  key,
  modelRows,
  plainRows,
  put,
} from "./storage-contract-rows.js";

/** A driver under test, with what it leaves behind. */
export interface DriverUnderTest {
  readonly driver: StorageDriver;
  /** Removes everything; every store is closed by then. */
  cleanup(): Promise<void>;
}

/**
 * Declares the tests that every {@link StorageDriver} has to pass, with vitest.
 * `makeDriver` is called once for each test and returns a driver without stores.
 */
export function runStorageContract(name: string, makeDriver: () => Promise<DriverUnderTest>): void {
  describe(`storage contract: ${name}`, () => {
    let underTest: DriverUnderTest;
    let driver: StorageDriver;
    let store: Storage;
    const context: Context = { store: () => store, driver: () => driver };

    beforeEach(async () => {
      underTest = await makeDriver();
      driver = underTest.driver;
      store = await driver.open("main");
    });

    afterEach(async () => {
      await store.close();
      await underTest.cleanup();
    });

    declareReads(context);
    declareRanges(context);
    declareTransactions(context);
    declareSizes(context);

    it("keeps the data of a store over close and open", async () => {
      put(store, [1], [10]);
      await store.close();
      store = await driver.open("main");
      expect(plainRows(store.range({}))).toEqual([[[1], [10]]]);
    });

    it("lists the stores that exist and forgets one that is dropped", async () => {
      const other = await driver.open("other");
      put(other, [1], [10]);
      await other.close();
      expect(await driver.list()).toEqual(["main", "other"]);

      await driver.drop("other");
      expect(await driver.list()).toEqual(["main"]);

      const again = await driver.open("other");
      expect(again.range({})).toEqual([]);
      await again.close();
    });

    it("drops a store that was never made without complaint", async () => {
      await driver.drop("never");
      expect(await driver.list()).toEqual(["main"]);
    });

    it("keeps two stores apart", async () => {
      const other = await driver.open("other");
      put(store, [1], [10]);
      put(other, [1], [20]);
      expect(bytesOf(store.get(key(1)))).toEqual([10]);
      expect(bytesOf(other.get(key(1)))).toEqual([20]);
      await other.close();
    });

    it("takes opening or dropping an open store, and unsafe names, for bugs", async () => {
      await expect((async () => driver.open("main"))()).rejects.toThrow(AssertionError);
      await expect((async () => driver.drop("main"))()).rejects.toThrow(AssertionError);
      for (const unsafe of ["", "..", "a/b", ".hidden", "a\0b", "x".repeat(101)]) {
        await expect((async () => driver.open(unsafe))()).rejects.toThrow(AssertionError);
      }
    });

    it("takes any use of a closed store for a bug", async () => {
      const closed = await driver.open("closed");
      await closed.close();
      expect(() => closed.get(key(1))).toThrow(AssertionError);
      expect(() => closed.range({})).toThrow(AssertionError);
      expect(() => closed.transact(() => 1)).toThrow(AssertionError);
      expect(() => closed.sync()).toThrow(AssertionError);
    });

    it("resolves any number of syncs, with and without writes before them", async () => {
      await store.sync();
      put(store, [1], [10]);
      const syncs = [store.sync(), store.sync()];
      put(store, [2], [20]);
      await Promise.all([...syncs, store.sync(), store.sync()]);
      await store.sync();
      expect(store.range({}).length).toBe(2);
    });
  });
}

function declareTransactions({ store }: Context): void {
  it("returns what the work returns, and reads its own writes", () => {
    put(store(), [1], [10]);
    put(store(), [2], [20]);
    const seen = store().transact((transaction) => {
      transaction.put(key(3), key(30));
      transaction.delete(key(1));
      transaction.put(key(2), key(21));
      expect(transaction.get(key(1))).toBeUndefined();
      expect(bytesOf(transaction.get(key(2)))).toEqual([21]);
      expect(plainRows(transaction.range({ reverse: true, limit: 1 }))).toEqual([[[3], [30]]]);
      return plainRows(transaction.range({}));
    });
    expect(seen).toEqual([
      [[2], [21]],
      [[3], [30]],
    ]);
    expect(plainRows(store().range({}))).toEqual(seen);
  });

  it("writes nothing if the work throws, and throws the same error", () => {
    put(store(), [1], [10]);
    const before = plainRows(store().range({}));
    const failure = new Error("no");
    const work = (): void =>
      store().transact((transaction) => {
        transaction.put(key(1), key(11));
        transaction.put(key(2), key(20));
        transaction.delete(key(1));
        transaction.put(key(1), key(12));
        throw failure;
      });
    expect(work).toThrow(failure);
    expect(plainRows(store().range({}))).toEqual(before);
    put(store(), [2], [21]);
    expect(bytesOf(store().get(key(2)))).toEqual([21]);
  });

  it("deletes a key that is not there without complaint", () => {
    store().transact((transaction) => transaction.delete(key(1)));
    expect(store().range({})).toEqual([]);
  });

  it("takes work that returns a promise, a transaction in another and one used after its end for bugs", () => {
    const async = (): unknown =>
      store().transact(async (transaction) => {
        transaction.put(key(1), key(10));
      });
    expect(async).toThrow(AssertionError);
    const nested = (): unknown => store().transact(() => store().transact(() => 1));
    expect(nested).toThrow(AssertionError);
    const kept = store().transact((transaction) => transaction);
    expect(() => kept.get(key(1))).toThrow(AssertionError);
    expect(() => kept.put(key(1), key(10))).toThrow(AssertionError);
    expect(store().range({})).toEqual([]);
  });

  it("agrees with a plain sorted map over thousands of small random transactions", async () => {
    const prng = createPrng(0xe10c1);
    const model = new Map<string, number[]>();
    for (let round = 0; round < 3000; round++) {
      applyRandomTransaction(prng, store(), model);
      if (round % 100 === 0) {
        await store().sync();
        expect(plainRows(store().range({}))).toEqual(modelRows(model));
      }
    }
    expect(plainRows(store().range({}))).toEqual(modelRows(model));
  });
}
