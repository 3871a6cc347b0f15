import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { CANARIES } from "../../../src/sim/canaries/all.js";
import { drawPlan } from "../../../src/sim/plan.js";
import { runPlan } from "../../../src/sim/simulation.js";

const SEEDS_MAX = 500;
/** What each oracle of `src/sim/oracles` says, and no other. */
const ORACLES = {
  bounds: /^UNBOUNDED/,
  "causal-order": /^(CAUSALITY|HLC|DOT REUSED|BACK|INVENTED|RETIRED)/,
  equality: /^(LEFTOVERS|VECTOR|LIVENESS)/,
  "session-guarantees": /^(READ YOUR WRITES|MONOTONIC|WRITES FOLLOW)/,
  "staleness-bound": /^STALENESS/,
  "visible-state": /^(STATE|RESURRECTED)/,
  "write-outcomes": /^(ACKNOWLEDGED|LOST|SHOWN|TWICE|REFUSED)/,
};
const found: string[] = [];

describe("the simulator finds", () => {
  test.each(CANARIES)(
    "$name: $is",
    async ({ faulty, plan, findsIt }) => {
      for (let seed = 1; seed <= SEEDS_MAX; seed++) {
        const { violation } = await runPlan(drawPlan(seed, plan), { faulty });
        if (violation === undefined) continue;
        expect(violation).toMatch(findsIt);
        found.push(violation);
        return;
      }
      expect.fail(`not found within ${SEEDS_MAX} seeds`);
    },
    600_000,
  );
});

test("each oracle finds a canary", () => {
  const blind = Object.entries(ORACLES).filter(([, says]) => !found.some((it) => says.test(it)));
  expect(blind.map(([name]) => name)).toEqual([]);
  const oracles = readdirSync("src/sim/oracles").map((file) => file.replace(/\.ts$/, ""));
  const parts = new Set(["checker", "context", "ghost-log", "texts", "watched-replica"]);
  expect(Object.keys(ORACLES).sort()).toEqual(oracles.filter((it) => !parts.has(it)).sort());
});
