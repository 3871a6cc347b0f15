import { describe, expect, test } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import {
  constantArrivals,
  poissonArrivals,
  randomPhaseArrivals,
} from "../../../src/experiments/load/arrivals.js";

describe("arrivals", () => {
  test("at a constant rate are in equal distances, from their phase to the end of the load", () => {
    expect(constantArrivals(10, 0.5)).toEqual([0, 100, 200, 300, 400]);
    expect(constantArrivals(10, 0.5, 50)).toEqual([50, 150, 250, 350, 450]);
  });

  test("in random phases are one in each period, anywhere in it", () => {
    const arrivals = randomPhaseArrivals(10, 100, createPrng(7).next);
    expect(arrivals).toHaveLength(1000);
    const phases = arrivals.map((atMs, tick) => atMs - tick * 100);
    expect(Math.min(...phases)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...phases)).toBeLessThan(100);
    expect(phases.filter((phase) => phase < 50).length).toBeGreaterThan(400);
    expect(phases.filter((phase) => phase >= 50).length).toBeGreaterThan(400);
  });

  test("of a Poisson process have the rate on average, and gaps that vary as much as they are long", () => {
    const arrivals = poissonArrivals(50, 200, createPrng(3).next);
    expect(arrivals.length).toBeGreaterThan(9_700);
    expect(arrivals.length).toBeLessThan(10_300);
    const gaps = arrivals.slice(1).map((atMs, at) => atMs - (arrivals[at] as number));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(Math.min(...gaps)).toBeGreaterThan(0);
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
  });

  test("follow from the seed", () => {
    const drawn = (seed: number) => poissonArrivals(10, 10, createPrng(seed).next);
    expect(drawn(5)).toEqual(drawn(5));
    expect(drawn(5)).not.toEqual(drawn(6));
  });
});
