import { expect, test } from "vitest";

import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

const [FIRST, RUNS] = [1000, 400];

test("simulated clusters keep every promise over more seeds", async () => {
  const broken: string[] = [];
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) {
    const { violation } = await runPlan(drawPlan(seed));
    if (violation !== undefined) broken.push(`npm run sim -- --seed ${seed}: ${violation}`);
  }
  expect(broken).toEqual([]);
}, 600_000);
