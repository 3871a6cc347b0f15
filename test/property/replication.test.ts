import * as fc from "fast-check";
import { describe, it } from "vitest";
import type { Policy } from "../../src/core/live-set.js";
import { runHistory } from "./cluster.js";
import { history } from "./history.js";

const POLICIES: readonly Policy[] = ["lww", "siblings", "merge"];
const RUNS = Number(process.env["ENOKI_PROPERTY_RUNS"] ?? 150);
const SEED = Number(process.env["ENOKI_PROPERTY_SEED"] ?? 20_261_123);

describe("replicas", () => {
  it.each(POLICIES)(
    "with policy %s end byte-equal, causal at every step, whatever the network and crashes do",
    (policy) => {
      const tally = new Map<string, number>();
      const property = fc.property(history, (steps) => runHistory(policy, steps, { tally }));
      fc.assert(property, { seed: SEED, numRuns: RUNS, includeErrorInReport: true });
      if (process.env["ENOKI_PROPERTY_TALLY"]) console.log(Object.fromEntries(tally));
    },
    Math.max(120_000, RUNS * 1000),
  );
});
