import * as fc from "fast-check";
import type { Step } from "./cluster.js";

const STEPS_MAX = Number(process.env["ENOKI_PROPERTY_STEPS"] ?? 150);

function historyOf(kind: fc.Arbitrary<number>, nodes = fc.nat(999)): fc.Arbitrary<Step[]> {
  const number = fc.nat(999);
  const step = fc.tuple(kind, nodes, number, number, number);
  return fc.array(step, { minLength: 1, maxLength: STEPS_MAX, size: "max" });
}

/** Random histories of a cluster: what happens, with whom, in which order. */
export const history: fc.Arbitrary<Step[]> = historyOf(fc.nat(99));

const [CRASH, ROUND, LEARN, JOIN, LEAVE, REMOVE, LOSE_DISK] = [51, 91, 93, 95, 97, 98, 99];
const [COMMIT, DELIVER, LOSE, BEGIN, SERVE, CHUNK] = [0, 30, 49, 55, 62, 70];

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
  fc.nat(2),
);

/** Histories with many changes of members, restarts and rounds of heartbeats. */
export const membershipHistory: fc.Arbitrary<Step[]> = historyOf(
  fc.oneof(
    { weight: 3, arbitrary: fc.nat(99) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        COMMIT,
        COMMIT,
        DELIVER,
        DELIVER,
        CRASH,
        BEGIN,
        SERVE,
        SERVE,
        CHUNK,
        CHUNK,
        ROUND,
        ROUND,
        LEARN,
        LEARN,
        JOIN,
        LEAVE,
        REMOVE,
        LOSE_DISK,
      ),
    },
  ),
);
