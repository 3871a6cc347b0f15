import { expect, it } from "vitest";
import { AssertionError } from "../base/assert.js";
import { compareBytes } from "../base/bytes.js";
import type { RangeOptions } from "../ports/storage.js";
import { bytesOf, type Context, key, plainRows, put } from "./storage-contract-rows.js";

/** Declares the tests of single reads. */
export function declareReads({ store }: Context): void {
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

/** Declares the tests of range reads. */
export function declareRanges({ store }: Context): void {
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

/** Declares the tests of large keys and values. */
export function declareSizes({ store, driver }: Context): void {
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

function sameBytes(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left !== undefined && left.length === right.length && Buffer.compare(left, right) === 0;
}
