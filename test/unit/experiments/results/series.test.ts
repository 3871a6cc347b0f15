import { describe, expect, test } from "vitest";

import type { Point, Sample } from "../../../../src/experiments/results/point.js";
import { isRequestSeries, seriesOf } from "../../../../src/experiments/results/series.js";

const POINT: Point = {
  figure: "3",
  name: "a",
  repeat: 1,
  seed: 1,
  loadS: 10,
  cutS: 1,
  parameters: {},
};

function sample(atMs: number, valueMs: number, status = 200, series = "call"): Sample {
  return { series, atMs, valueMs, status };
}

test("cuts both ends by when a request was due, and sorts", () => {
  const samples = [999, 1000, 5000, 8999, 9000].map((atMs, at) => sample(atMs, 10 - at));
  const call = seriesOf(POINT, samples).get("call");
  expect([...(call?.valuesMs ?? [])]).toEqual([7, 8, 9]);
  expect(call?.samplesTotal).toBe(5);
});

test.each([0, 199, 302, 404, 500, 503])("counts status %i and takes no time of it", (status) => {
  const call = seriesOf(POINT, [sample(5000, 1), sample(5000, 0.001, status)]).get("call");
  expect([...(call?.valuesMs ?? [])]).toEqual([1]);
  expect(call).toMatchObject({ samplesTotal: 2, errorsTotal: 1, endedPerS: 1 / 8 });
});

test("cuts no floors", () => {
  const series = seriesOf(POINT, [sample(0, 4, 200, "floor"), sample(100, 6, 200, "floor-read")]);
  expect(series.get("floor")?.valuesMs).toHaveLength(1);
  expect(series.get("floor-read")?.valuesMs).toHaveLength(1);
});

describe("throughput", () => {
  test("counts what ends within the window, whenever it began", () => {
    const samples = [sample(900, 200), sample(5000, 100), sample(8950, 100), sample(0, 500)];
    expect(seriesOf(POINT, samples).get("call")?.endedPerS).toBe(2 / 8);
  });

  test("goes on to the last answer where requests are long beside the window", () => {
    const samples = [sample(1000, 9000), sample(2000, 9000), sample(3000, 18_000)];
    expect(seriesOf(POINT, samples).get("call")?.endedPerS).toBe(3 / 20);
  });

  test("of a floor goes to its last answer", () => {
    const samples = [0, 100, 200, 300].map((atMs) => sample(atMs, 100, 200, "floor"));
    expect(seriesOf(POINT, samples).get("floor")?.endedPerS).toBe(10);
  });

  test("is 0 where nothing succeeded", () => {
    expect(seriesOf(POINT, [sample(5000, 1, 500)]).get("call")?.endedPerS).toBe(0);
  });
});

test("tells requests from what is derived from them", () => {
  const names = [
    "call",
    "client-x",
    "write",
    "floor",
    "floor-read",
    "lag",
    "staleness",
    "in-function-x",
  ];
  expect(names.filter(isRequestSeries)).toEqual(["call", "client-x", "write"]);
});
