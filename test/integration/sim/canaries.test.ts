import { describe, expect, test } from "vitest";

import { CANARIES } from "../../../src/sim/canaries/all.js";
import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

const SEEDS_MAX = 500;

describe("the simulator finds", () => {
  test.each(CANARIES)(
    "$name: $is",
    async ({ faulty, plan, findsIt }) => {
      for (let seed = 1; seed <= SEEDS_MAX; seed++) {
        const { violation } = await runPlan(drawPlan(seed, plan), { faulty });
        if (violation === undefined) continue;
        expect(violation).toMatch(findsIt);
        return;
      }
      expect.fail(`not found within ${SEEDS_MAX} seeds`);
    },
    600_000,
  );
});
