import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBytes } from "../../../src/base/bytes.js";
import { compareDots, type Dot } from "../../../src/core/dot.js";
import {
  expiryEnd,
  expiryRowKey,
  garbageRowKey,
  indexRowKey,
  indexStart,
  itemKeyOf,
  itemRowKey,
  parseDotRow,
  parseExpiryRow,
  ROW_PREFIX,
  USER_ITEM_ROWS,
} from "../../../src/core/rows.js";
import { utf8Bytes } from "../../../src/core/text.js";

const anyDot: fc.Arbitrary<Dot> = fc.record({
  epoch: fc.nat(),
  restart: fc.nat(2 ** 20 - 1),
  counter: fc.maxSafeNat(),
});
const anyKey = fc.uint8Array({ minLength: 1, maxLength: 20 });
const NO_KEY = new Uint8Array(0);

function isWithin(
  key: Uint8Array,
  { start, end }: { start: Uint8Array; end: Uint8Array },
): boolean {
  return compareBytes(key, start) >= 0 && compareBytes(key, end) < 0;
}

describe("row keys", () => {
  it("sort index rows by dot, and lead back to dot and key", () => {
    fc.assert(
      fc.property(anyDot, anyDot, anyKey, (left, right, key) => {
        const order = compareBytes(indexRowKey(left, NO_KEY), indexRowKey(right, NO_KEY));
        expect(Math.sign(order)).toBe(Math.sign(compareDots(left, right)));
        expect(parseDotRow(indexRowKey(left, key))).toEqual({ dot: left, key });
        expect(parseDotRow(garbageRowKey(left, key))).toEqual({ dot: left, key });
      }),
    );
  });

  it("hold the index of one origin above a counter in one range", () => {
    const origin = { epoch: 1, restart: 2 };
    const range = { start: indexStart(origin, 5), end: indexStart(origin, 300) };
    const at = (counter: number, more = {}) =>
      isWithin(indexRowKey({ ...origin, ...more, counter }, utf8Bytes("k")), range);
    expect([4, 5, 299, 300].map((counter) => at(counter))).toEqual([false, true, true, false]);
    expect(at(7, { epoch: 2 })).toBe(false);
    expect(at(7, { restart: 1 })).toBe(false);
  });

  it("sort expiry rows by time, and the end includes what expires at that moment", () => {
    const dot = { epoch: 1, restart: 0, counter: 1 };
    const key = expiryRowKey(1_800_000_000_000, dot, utf8Bytes("k"));
    expect(compareBytes(key, expiryEnd(1_800_000_000_000))).toBeLessThan(0);
    expect(compareBytes(key, expiryEnd(1_799_999_999_999))).toBeGreaterThan(0);
    expect(parseExpiryRow(key)).toEqual({ dot, key: utf8Bytes("k") });
  });

  it("keep every user key inside the range of user items, and internal keys outside", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (text) => {
        const row = itemRowKey(utf8Bytes(text));
        expect(isWithin(row, USER_ITEM_ROWS)).toBe(true);
        expect(itemKeyOf(row)).toEqual(utf8Bytes(text));
      }),
    );
    expect(isWithin(itemRowKey(Uint8Array.of(0xff, 1)), USER_ITEM_ROWS)).toBe(false);
  });

  it("have prefixes that are all different", () => {
    const prefixes = Object.values(ROW_PREFIX);
    expect(new Set(prefixes).size).toBe(prefixes.length);
  });

  it("fit a store's key of 1,500 bytes for the longest user key", () => {
    const dot = { epoch: 2 ** 31, restart: 2 ** 20 - 1, counter: 2 ** 52 };
    expect(expiryRowKey(2 ** 52, dot, new Uint8Array(1024)).length).toBeLessThan(1500);
  });
});
