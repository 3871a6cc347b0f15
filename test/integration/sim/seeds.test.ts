import { expect, test } from "vitest";

import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

const [FIRST, RUNS] = [1000, 400];
/** Seeds that once showed a fault, of the core, of the host or of the simulator. */
const KNOWN = [
  59, 94, 558, 823, 837, 998, 1939, 2777, 3534, 3551, 3781, 5120, 5677, 11_983, 13_078, 14_645,
  17_911, 20_309, 21_692, 22_265, 22_620,
];

test("simulated clusters keep every promise over more seeds", async () => {
  const broken: string[] = [];
  const more = Array.from({ length: RUNS }, (_, at) => FIRST + at);
  for (const seed of [...KNOWN, ...more]) {
    const { violation } = await runPlan(drawPlan(seed));
    if (violation !== undefined) broken.push(`npm run sim -- --seed ${seed}: ${violation}`);
  }
  expect(broken).toEqual([]);
}, 600_000);
