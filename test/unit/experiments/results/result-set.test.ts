import { expect, test } from "vitest";

import type { Result, Sample } from "../../../../src/experiments/results/point.js";
import { ResultSet } from "../../../../src/experiments/results/result-set.js";
import { THIRDS_FIGURE, thirdsOf } from "../../../../src/experiments/results/thirds.js";

function result(name: string, repeat: number, samples: readonly Sample[]): Result {
  const parameters = { data: name, ratePerS: 10 };
  return {
    point: { figure: "6", name, repeat, seed: 1, loadS: 9, cutS: 0, parameters },
    measuredAt: `2026-01-0${repeat}T00:00:00.000Z`,
    commit: `c${repeat}`,
    network: "emulator",
    samples,
    totals: { lost: repeat },
  };
}

function sample(series: string, atMs: number, valueMs: number, status = 200): Sample {
  return { series, atMs, valueMs, status };
}

test("pools the repeats of a point, and of several series where that is asked for", () => {
  const set = new ResultSet();
  set.add(result("edge", 1, [sample("a", 0, 3), sample("b", 0, 1), sample("a", 0, 9, 500)]));
  set.add(result("edge", 2, [sample("a", 0, 2)]));
  set.add(result("cloud", 1, [sample("a", 0, 50)]));
  const point = set.point("6", { data: "edge" });
  expect([...(point?.pool("a")?.valuesMs ?? [])]).toEqual([2, 3]);
  expect([...(point?.pool("a", "b")?.valuesMs ?? [])]).toEqual([1, 2, 3]);
  expect(point?.pool("c")).toBe(undefined);
  expect(point?.totals("lost")).toEqual([1, 2]);
  expect(point?.requests("a")).toEqual({ total: 3, errors: 1 });
  expect(set.points("6")).toHaveLength(2);
  expect(set.point("6", { data: "peer" })).toBe(undefined);
  expect(set.effort("6")).toEqual({ pointsTotal: 3, loadS: 27, requestsTotal: 5, errorsTotal: 1 });
  expect(set.commits).toEqual(["c1", "c2"]);
  expect(set.period).toEqual(["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]);
});

test("takes a load with a cut apart into what was due before, during and after it", () => {
  const set = new ResultSet();
  const samples = [0, 2999, 3000, 5999, 6000, 8999, 9100].map((atMs, at) =>
    sample("read", atMs, at, at === 3 ? 0 : 200),
  );
  for (const third of thirdsOf(result("edge", 1, samples))) set.add(third);
  const found = ["before", "during", "after"].map((when) => {
    const point = set.point(THIRDS_FIGURE, { when, data: "edge" });
    return [point?.requests("read").total, point?.requests("read").errors];
  });
  expect(found).toEqual([
    [2, 0],
    [2, 1],
    [3, 0],
  ]);
});
