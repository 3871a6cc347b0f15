import * as fc from "fast-check";
import { expect, it } from "vitest";
import { runHistory } from "./cluster.js";
import { history } from "./history.js";

const RUNS = Number(process.env["ENOKI_PROPERTY_RUNS"] ?? 60);
const SEED = Number(process.env["ENOKI_PROPERTY_SEED"] ?? 20_261_126);

it.each([
  ["lww", "siblings"],
  ["lww", "merge"],
  ["siblings", "lww"],
] as const)(
  "replicas that learn at different times that %s has become %s end byte-equal, and show what their writes say",
  (policy, changesTo) => {
    const tally = new Map<string, number>();
    const property = fc.property(history, (steps) => {
      runHistory(policy, steps, { changesTo, tally });
    });
    fc.assert(property, { seed: SEED, numRuns: RUNS, includeErrorInReport: true });
    expect(tally.get("policy changed")).toBeGreaterThan(RUNS);
  },
  Math.max(120_000, RUNS * 1000),
);
