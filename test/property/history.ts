import * as fc from "fast-check";
import type { Step } from "./cluster.js";

function historyOf(kind: fc.Arbitrary<number>): fc.Arbitrary<Step[]> {
  const number = fc.nat(999);
  const step = fc.tuple(kind, number, number, number, number);
  return fc.array(step, { minLength: 1, maxLength: 150, size: "max" });
}

/** Random histories of a cluster: what happens, with whom, in which order. */
export const history: fc.Arbitrary<Step[]> = historyOf(fc.nat(99));

const [COMMIT, DELIVER, LOSE, BEGIN, SERVE, CHUNK] = [0, 40, 58, 68, 75, 80];

/** Histories of hardly more than catch-ups that meet direct updates. */
export const catchUpHistory: fc.Arbitrary<Step[]> = historyOf(
  fc.constantFrom(
    COMMIT,
    COMMIT,
    DELIVER,
    DELIVER,
    DELIVER,
    LOSE,
    LOSE,
    BEGIN,
    SERVE,
    SERVE,
    CHUNK,
  ),
);
