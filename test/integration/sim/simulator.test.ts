import { expect, test } from "vitest";

import { Counts } from "../../../src/sim/counts.js";
import { neverHappened } from "../../../src/sim/coverage.js";
import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

/**
 * Enough for everything to happen once: the first ones, and two for what happens in one of fifty. The
 * system tests and the report run many more.
 */
const SEEDS = [...Array.from({ length: 44 }, (_, at) => at + 1), 59, 83];

test("a simulated cluster keeps every promise through every fault, each of which happens", async () => {
  const broken: string[] = [];
  const counts = new Counts();
  for (const seed of SEEDS) {
    const run = await runPlan(drawPlan(seed));
    counts.merge(run.counts);
    if (run.violation !== undefined) broken.push(`npm run sim -- --seed ${seed}: ${run.violation}`);
  }
  expect(broken).toEqual([]);
  expect(neverHappened(counts)).toEqual([]);
}, 120_000);
