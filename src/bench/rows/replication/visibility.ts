import type { Measurement } from "../../results.js";
import { percentileOf, spreadOf } from "../../statistics.js";
import type { RowContext } from "../context.js";
import { joinB, KEYGROUP, startPair, type Pair } from "./pair.js";

/** Writes per round. */
const WRITES = { full: 2000, quick: 500 } as const;
const TARGETS = [
  { name: "p50", share: 0.5, maxMs: 2 },
  { name: "p99", share: 0.99, maxMs: 10 },
] as const;

/**
 * From the acknowledgement of a write at A until it can be read at B. Both processes take their times
 * from the one monotonic clock of the machine. The link's own delay is left in: it is loopback.
 */
export async function measureVisibility(context: RowContext): Promise<Measurement[]> {
  const count = context.isQuick ? WRITES.quick : WRITES.full;
  const pair = await startPair(context.resources, { storage: "lmdb" });
  await joinB(pair);
  await delaysMs(pair, count);
  const rounds: number[][] = [];
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`visibility: round ${round + 1} of ${context.rounds}`);
    rounds.push(await delaysMs(pair, count));
  }
  const roundTripMs = await pair.a.ask("roundTripMs");
  await pair.stop();
  return TARGETS.map(({ name, share, maxMs }) => {
    const value = spreadOf(rounds.map((delays) => percentileOf(delays, share)));
    return {
      row: "visibility",
      title: `acknowledged at A → visible at B, ${name}`,
      unit: "ms",
      value,
      target: { atMost: maxMs },
      note: `a write every 2 ms; round trip of the link ${roundTripMs?.toFixed(2) ?? "?"} ms, left in`,
      figures: { roundTripMs, rounds: rounds.map((delays) => percentileOf(delays, share)) },
    };
  });
}

async function delaysMs({ a, b }: Pair, count: number): Promise<number[]> {
  const watched = b.ask("watch", { keygroup: KEYGROUP, count });
  const acknowledgedUs = await a.ask("pace", { keygroup: KEYGROUP, count });
  const visibleUs = await watched;
  return acknowledgedUs.map((fromUs, i) => Math.max(0, (visibleUs[i] ?? Infinity) - fromUs) / 1000);
}
