import { expect, test } from "vitest";

import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

test("a simulated cluster does the same again for the same seed, message by message", async () => {
  const [first, second] = [await runPlan(drawPlan(3)), await runPlan(drawPlan(3))];
  expect(first.traceHash).toBe(second.traceHash);
  expect((await runPlan(drawPlan(4))).traceHash).not.toBe(first.traceHash);
}, 60_000);
