import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AssertionError } from "../base/assert.js";
import { compareBytes } from "../base/bytes.js";
import { createPrng, type Prng } from "../base/prng.js";
import type { RangeOptions, Row, Storage, StorageDriver } from "../ports/storage.js";

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

interface Context {
  store(): Storage;
  driver(): StorageDriver;
}

function declareReads({ store }: Context): void {
  it("returns undefined for a key that is not there", () => {
    expect(store().get(key(1))).toBeUndefined();
  });

  it("keeps keys and values of any bytes apart, empty values included", () => {
    const keys = [[0], [0, 0], [0, 1], [0xff], [0xff, 0xff], [0x7f], [0x80], [0, 0xff, 0]];
    keys.forEach((bytes, index) => put(store(), bytes, [index]));
    put(store(), [1], []);
    keys.forEach((bytes, index) => expect(bytesOf(store().get(key(...bytes)))).toEqual([index]));
    expect(bytesOf(store().get(key(1)))).toEqual([]);
    expect(store().range({}).length).toBe(keys.length + 1);
  });

  it("sees a write in the very next read, many times in one turn", () => {
    for (let i = 0; i < 100; i++) {
      put(store(), [1], [i]);
      expect(bytesOf(store().get(key(1)))).toEqual([i]);
      expect(plainRows(store().range({}))).toEqual([[[1], [i]]]);
    }
  });

  it("gives bytes away that later writes and reads do not touch", () => {
    put(store(), [1], [10]);
    put(store(), [2], [20]);
    const value = store().get(key(1));
    const [first] = store().range({});
    store().get(key(2));
    put(store(), [1], [30]);
    expect(bytesOf(value)).toEqual([10]);
    expect(bytesOf(first?.value)).toEqual([10]);
    value?.fill(99);
    first?.value.fill(99);
    expect(bytesOf(store().get(key(1)))).toEqual([30]);
  });

  it("does not hold on to the bytes it was given", () => {
    const givenKey = key(1);
    const givenValue = key(10);
    store().transact((transaction) => transaction.put(givenKey, givenValue));
    givenKey.fill(9);
    givenValue.fill(9);
    expect(plainRows(store().range({}))).toEqual([[[1], [10]]]);
  });

  it("takes an empty key or one beyond 1,500 bytes for a bug", () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(1501)]) {
      expect(() => store().get(bytes)).toThrow(AssertionError);
      expect(() => store().transact((transaction) => transaction.put(bytes, key(1)))).toThrow(
        AssertionError,
      );
      expect(() => store().transact((transaction) => transaction.delete(bytes))).toThrow(
        AssertionError,
      );
    }
  });
}

function declareRanges({ store }: Context): void {
  it("orders keys as unsigned bytes, a prefix first", () => {
    const ordered = [
      [0],
      [0, 0],
      [0, 255],
      [1],
      [1, 0],
      [127],
      [128],
      [254, 255],
      [255],
      [255, 0],
      [255, 255],
    ];
    for (const bytes of ordered.toReversed()) put(store(), bytes, [1]);
    expect(
      store()
        .range({})
        .map((row) => [...row.key]),
    ).toEqual(ordered);
    expect(
      store()
        .range({ reverse: true })
        .map((row) => [...row.key]),
    ).toEqual(ordered.toReversed());
  });

  it("includes the start and excludes the end, forwards and backwards, with any limit", () => {
    const keys = [[0], [0, 1], [1], [2], [2, 0], [3], [255], [255, 255]];
    for (const bytes of keys) put(store(), bytes, bytes);
    const bounds = [
      undefined,
      [],
      [0],
      [0, 0],
      [0, 1],
      [1],
      [1, 5],
      [2],
      [2, 0],
      [3],
      [200],
      [255],
      [255, 255],
      [255, 255, 1],
    ];
    for (const start of bounds) {
      for (const end of bounds) {
        for (const reverse of [false, true]) {
          for (const limit of [undefined, 0, 1, 3, 100]) {
            const options = optionsOf(start, end, reverse, limit);
            const found = store()
              .range(options)
              .map((row) => [...row.key]);
            expect(found, JSON.stringify({ start, end, reverse, limit })).toEqual(
              expectedKeys(keys, options),
            );
          }
        }
      }
    }
  });

  it("returns the rows of one state, whatever is written while the caller goes through them", () => {
    for (let i = 0; i < 100; i++) put(store(), [i], [i]);
    const rows = store().range({});
    for (const row of rows) store().transact((transaction) => transaction.delete(row.key));
    expect(rows.length).toBe(100);
    expect(rows.every((row, index) => row.value[0] === index)).toBe(true);
    expect(store().range({})).toEqual([]);
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

function declareSizes({ store, driver }: Context): void {
  it("takes keys of 1,500 bytes, as bounds too", () => {
    const longest = new Uint8Array(1500).fill(0xff);
    const sibling = longest.with(1499, 0xfe);
    store().transact((transaction) => {
      transaction.put(longest, key(1));
      transaction.put(sibling, key(2));
    });
    expect(bytesOf(store().get(longest))).toEqual([1]);
    expect(
      store()
        .range({ start: sibling, end: longest })
        .map((row) => row.value[0]),
    ).toEqual([2]);
    expect(
      store()
        .range({ end: longest, reverse: true })
        .map((row) => row.value[0]),
    ).toEqual([2]);
  });

  it("returns values of every size up to 17 MiB whole, by get and by range, inside a transaction and after", async () => {
    const big = await driver().open("big");
    const sizes = [
      4095,
      4096,
      32_767,
      32_768,
      32_769,
      100_000,
      1 << 20,
      (1 << 24) - 1,
      1 << 24,
      17 << 20,
    ];
    for (const [index, size] of sizes.entries()) {
      const value = new Uint8Array(size).fill(index + 1);
      big.transact((transaction) => {
        transaction.put(key(index), value);
        expect(sameBytes(transaction.get(key(index)), value)).toBe(true);
      });
      expect(sameBytes(big.get(key(index)), value)).toBe(true);
    }
    const rows = big.range({});
    expect(rows.map((row) => row.value.length)).toEqual(sizes);
    expect(
      rows.every((row, index) => row.value[0] === index + 1 && row.value.at(-1) === index + 1),
    ).toBe(true);
    await big.close();
  });
}

function applyRandomTransaction(prng: Prng, store: Storage, model: Map<string, number[]>): void {
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

function modelRows(model: Map<string, number[]>): number[][][] {
  const rows = [...model].map(([bytes, value]) => [bytes.split(",").map(Number), value]);
  return rows.sort(([left = []], [right = []]) => compareBytes(key(...left), key(...right)));
}

function expectedKeys(
  keys: readonly number[][],
  { start, end, reverse, limit }: RangeOptions,
): number[][] {
  const inside = keys.filter((bytes) => {
    const candidate = key(...bytes);
    return (
      (!start || compareBytes(candidate, start) >= 0) && (!end || compareBytes(candidate, end) < 0)
    );
  });
  return (reverse ? inside.toReversed() : inside).slice(0, limit);
}

function optionsOf(
  start: number[] | undefined,
  end: number[] | undefined,
  reverse: boolean,
  limit: number | undefined,
): RangeOptions {
  return {
    ...(start && { start: key(...start) }),
    ...(end && { end: key(...end) }),
    reverse,
    ...(limit !== undefined && { limit }),
  };
}

function key(...bytes: number[]): Uint8Array {
  return new Uint8Array(bytes);
}

function put(store: Storage, keyBytes: number[], valueBytes: number[]): void {
  store.transact((transaction) => transaction.put(key(...keyBytes), key(...valueBytes)));
}

function bytesOf(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes && [...bytes];
}

function plainRows(rows: readonly Row[]): number[][][] {
  return rows.map((row) => [[...row.key], [...row.value]]);
}

function sameBytes(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left !== undefined && left.length === right.length && Buffer.compare(left, right) === 0;
}
