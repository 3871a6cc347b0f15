import fc from "fast-check";
import { describe, it } from "vitest";
import type { Policy } from "../../src/core/live-set.js";
import { runHistory, type Step } from "./cluster.js";

const POLICIES: readonly Policy[] = ["lww", "siblings", "merge"];
const RUNS = Number(process.env["ENOKI_PROPERTY_RUNS"] ?? 150);
const SEED = Number(process.env["ENOKI_PROPERTY_SEED"] ?? 20_261_123);

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(99),
  fc.nat(999),
  fc.nat(999),
  fc.nat(999),
  fc.nat(999),
);
const history = fc.array(step, { minLength: 1, maxLength: 150, size: "max" });

describe("three replicas", () => {
  it.each(POLICIES)(
    "with policy %s end byte-equal, causal at every step, whatever the network and crashes do",
    (policy) => {
      const property = fc.property(history, (steps) => runHistory(policy, steps));
      fc.assert(property, { seed: SEED, numRuns: RUNS, includeErrorInReport: true });
    },
    120_000,
  );
});
