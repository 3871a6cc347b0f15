import { describe, expect, test } from "vitest";

import { createPrng } from "../../../../src/base/prng.js";
import { meanOf, Pool } from "../../../../src/experiments/results/pool.js";

const pool = (...repeats: number[][]): Pool =>
  new Pool(repeats.map((each) => Float64Array.from(each)));

describe("quantiles", () => {
  test("are those of all repeats, by nearest rank", () => {
    const all = pool([1, 3, 5], [2, 4]);
    expect([0, 0.2, 0.5, 0.9, 1].map((share) => all.quantile(share))).toEqual([1, 1, 3, 5, 5]);
  });

  test("are none of nothing", () => {
    expect(pool([]).quantile(0.5)).toBeNaN();
    expect(pool([]).interval(0.5).low).toBeNaN();
  });

  test("stand beside the share that is above a limit", () => {
    expect(pool([0, 0, 0, 1]).shareAbove(0)).toBe(0.25);
  });
});

describe("intervals of quantiles", () => {
  const prng = createPrng(3);
  const draw = (n: number, shiftMs = 0): number[] =>
    Array.from({ length: n }, () => 10 + shiftMs + prng.next()).sort((a, b) => a - b);

  test("hold the true median in about 95 of 100 cases", () => {
    let held = 0;
    for (let time = 0; time < 100; time++) {
      const { low, high } = pool(draw(60), draw(60), draw(60)).interval(0.5);
      if (low <= 10.5 && high >= 10.5) held += 1;
    }
    expect(held).toBeGreaterThanOrEqual(90);
  });

  test("are narrower the more requests there are", () => {
    const width = (n: number): number => {
      const { low, high } = pool(draw(n), draw(n)).interval(0.5);
      return high - low;
    };
    expect(width(2000)).toBeLessThan(width(50) / 2);
  });

  test("reach over repeats that differ, however many requests each has", () => {
    const { low, high } = pool(draw(1000), draw(1000, 5), draw(1000, 10)).interval(0.5);
    expect(low).toBeLessThan(11);
    expect(high).toBeGreaterThan(20);
  });

  test("are the same each time", () => {
    const values = draw(100);
    expect(pool(values).interval(0.9)).toEqual(pool(values).interval(0.9));
  });

  test("are one value where all values are the same", () => {
    expect(pool([0, 0, 0], [0, 0]).interval(0.99)).toEqual({ low: 0, high: 0 });
  });
});

describe("the mean of repeats", () => {
  test("has Student's interval", () => {
    const { mean, interval } = meanOf([9, 10, 11]);
    expect(mean).toBe(10);
    expect(interval?.low).toBeCloseTo(10 - 4.303 / Math.sqrt(3), 9);
    expect(interval?.high).toBeCloseTo(10 + 4.303 / Math.sqrt(3), 9);
  });

  test("has none for one repeat", () => {
    expect(meanOf([4])).toEqual({ mean: 4 });
  });
});
