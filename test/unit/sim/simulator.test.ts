import { describe, expect, test } from "vitest";

import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

const SEEDS = Array.from({ length: 40 }, (_, at) => at + 1);

describe("a simulated cluster", () => {
  test("keeps every promise through partitions, crashes and lost disks, and ends equal", async () => {
    const broken: string[] = [];
    for (const seed of SEEDS) {
      const { violation } = await runPlan(drawPlan(seed));
      if (violation !== undefined) broken.push(`npm run sim -- --seed ${seed}: ${violation}`);
    }
    expect(broken).toEqual([]);
  });

  test("does the same again for the same seed, message by message", async () => {
    const [first, second] = [await runPlan(drawPlan(3)), await runPlan(drawPlan(3))];
    expect(first.traceHash).toBe(second.traceHash);
    expect((await runPlan(drawPlan(4))).traceHash).not.toBe(first.traceHash);
  });
});
