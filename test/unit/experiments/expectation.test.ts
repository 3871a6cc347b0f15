import { describe, expect, test } from "vitest";

import { expectationOf, expectedS, type Task } from "../../../src/experiments/expectation.js";
import { FIGURES } from "../../../src/experiments/figures/figures.js";
import type { Scale } from "../../../src/experiments/results/point.js";

function tasksAt(scale: Scale): Task[] {
  return FIGURES.flatMap((experiment) =>
    experiment.points(scale).map((point) => ({ experiment, point })),
  );
}

const MINUTES = 60;

test("all figures are expected to end within forty minutes", () => {
  const tasks = tasksAt("short");
  expect(new Set(tasks.map(({ point }) => point.repeat))).toEqual(new Set([1, 2, 3]));
  expect(expectationOf(tasks).seconds).toBeLessThanOrEqual(40 * MINUTES);
});

describe.each(["short", "full"] as const)("a %s run", (scale) => {
  const tasks = tasksAt(scale);

  test("takes longer than its loads: set-up, warm-ups and late answers count", () => {
    for (const task of tasks) expect(expectedS(task)).toBeGreaterThan(task.point.loadS + 1);
  });

  test("counts the floors that are asked for after their load", () => {
    const floored = tasks.filter(({ point }) => point.figure === "4");
    for (const task of floored) expect(expectedS(task)).toBeGreaterThan(task.point.loadS * 1.2);
  });

  test("counts warm-ups by the trips of each call", () => {
    const [sent, awaited] = ["cloud-python-sent", "cloud-python-awaited"].map((name) =>
      tasks.find(({ point }) => point.figure === "3" && point.name === name),
    ) as [Task, Task];
    // 120 calls, four at a time, with a trip of 50 ms more.
    expect(expectedS(awaited) - expectedS(sent)).toBeCloseTo((120 / 4) * 0.051, 2);
  });
});
