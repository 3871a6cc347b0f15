import { expect, test } from "vitest";

import { Counts } from "../../../src/sim/counts.js";
import { neverHappened } from "../../../src/sim/coverage.js";
import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

/**
 * Enough for everything to happen once: the first ones, and others for what is rare; the last two for
 * what happens once in fifty thousand. The report runs many more.
 */
const SEEDS = [
  ...Array.from({ length: 44 }, (_, at) => at + 1),
  46,
  59,
  81,
  83,
  101,
  139,
  10_999,
  20_172,
];

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
