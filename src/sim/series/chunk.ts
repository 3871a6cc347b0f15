import { Counts } from "../counts.js";
import { drawPlan, type PlanOverrides } from "../plan.js";
import { runPlan } from "../simulation.js";
import { Trace } from "../trace.js";

/** Seeds that are run one after the other, by one worker. */
export interface Chunk {
  readonly first: number;
  readonly runs: number;
}

/** A run in which a promise was broken. */
export interface Failure {
  readonly seed: number;
  readonly violation: string;
}

/** What came of a chunk; plain data, for it goes from thread to thread and into a file. */
export interface ChunkSummary extends Chunk {
  readonly counts: readonly (readonly [what: string, count: number])[];
  readonly failures: readonly Failure[];
  /** One hash of the hashes of all traces. */
  readonly traceHash: string;
  readonly eventsTotal: number;
  /** The longest time from the last fault until all were equal. */
  readonly convergedMaxMs: number;
}

/** Runs the seeds of a chunk. */
export async function runChunk(
  { first, runs }: Chunk,
  overrides: PlanOverrides,
): Promise<ChunkSummary> {
  const counts = new Counts();
  const hash = new Trace(false);
  const failures: Failure[] = [];
  let eventsTotal = 0;
  let convergedMaxMs = 0;
  for (let seed = first; seed < first + runs; seed++) {
    const run = await runPlan(drawPlan(seed, overrides));
    counts.merge(run.counts);
    hash.add(seed, run.traceHash);
    eventsTotal += run.events;
    convergedMaxMs = Math.max(convergedMaxMs, run.convergedMs ?? 0);
    if (run.violation !== undefined) failures.push({ seed, violation: run.violation });
  }
  const entries = counts.entries();
  const traceHash = hash.hash;
  return { first, runs, counts: entries, failures, traceHash, eventsTotal, convergedMaxMs };
}
