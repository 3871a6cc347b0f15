import { expect, test } from "vitest";

import { median, spreadOf, spreadOfRatios } from "../../../src/bench/statistics.js";

test("the median is the middle value, or the mean of the two middle ones", () => {
  expect(median([9, 1, 10])).toBe(9);
  expect(median([4, 1, 3, 100])).toBe(3.5);
  expect(median([])).toBeNaN();
});

test("a spread names the median and both ends", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
});

test("ratios are taken within a round before their median is", () => {
  expect(spreadOfRatios([10, 40, 90], [100, 100, 300])).toEqual({
    median: 0.3,
    min: 0.1,
    max: 0.4,
  });
});
