import { describe, expect, test } from "vitest";

import { OneWay } from "../../../src/experiments/network/one-way.js";

const never = (): number => 0;

describe("one direction of a link", () => {
  test("delays what is small by its delay alone", () => {
    const way = new OneWay({ delayMs: 10 }, never);
    expect(way.arrivalMs(100, 1)).toBe(110);
    expect(way.arrivalMs(100, 1_000_000)).toBe(110);
  });

  test("sends one piece after the other, headers included", () => {
    const way = new OneWay({ delayMs: 10, bitsPerS: 8000 }, never);
    expect(way.arrivalMs(0, 34)).toBe(110);
    expect(way.arrivalMs(0, 34)).toBe(210);
    expect(way.arrivalMs(1000, 34)).toBe(1110);
  });

  test("needs for a megabyte at 10 Mb/s what its segments need", () => {
    const way = new OneWay({ delayMs: 1, bitsPerS: 10_000_000 }, never);
    let arrivedMs = 0;
    for (let at = 0; at < 1448 * 700; at += 1448) arrivedMs = way.arrivalMs(0, 1448);
    expect(arrivedMs).toBeCloseTo(1 + (700 * (1448 + 66) * 8) / 10_000, 6);
  });

  test("keeps the order whatever the jitter", () => {
    const drawn = [0.9, 0, 0.5];
    const way = new OneWay({ delayMs: 10, jitterMs: 10 }, () => drawn.shift() ?? 0);
    expect([way.arrivalMs(0, 1), way.arrivalMs(1, 1), way.arrivalMs(5, 1)]).toEqual([19, 19, 20]);
  });

  test("cuts into pieces of a segment, or of a millisecond where that is more", () => {
    const pieceOf = (bitsPerS?: number): number =>
      new OneWay({ delayMs: 0, ...(bitsPerS && { bitsPerS }) }, never).pieceBytes;
    expect(pieceOf(10_000_000)).toBe(1448);
    expect(pieceOf(100_000_000)).toBe(12_500);
    expect(pieceOf()).toBe(65_536);
  });
});
