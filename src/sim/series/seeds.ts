import { Counts } from "../counts.js";
import type { PlanOverrides } from "../plan.js";
import { Trace } from "../trace.js";
import { runChunk, type Chunk, type ChunkSummary, type Failure } from "./chunk.js";
import type { PartialFile } from "./partial-file.js";
import { runInWorkers } from "./workers.js";

/** What came of many runs: the same, whoever has run which of them. */
export interface SeedsSummary {
  readonly first: number;
  readonly runs: number;
  readonly counts: Counts;
  readonly failures: readonly Failure[];
  /** One hash of the hashes of all traces. */
  readonly traceHash: string;
  readonly eventsTotal: number;
  /** The longest time from the last fault until all were equal. */
  readonly convergedMaxMs: number;
}

/** Which seeds are run, and how. */
export interface SeedsOptions extends Chunk {
  readonly overrides: PlanOverrides;
  /** Threads; with 1 the seeds are run in this one. */
  readonly workers: number;
  /** Says what fails and how to see it again, and from time to time how far it is. */
  readonly say: (line: string) => void;
  readonly partial?: PartialFile | undefined;
  /** How many seeds a worker runs in one go, and one line of the partial file tells of. */
  readonly chunkSeeds?: number;
}

const CHUNK_SEEDS = 100;
const SAY_EVERY_CHUNKS = 10;

/** Runs a series of seeds. */
export async function runSeeds(options: SeedsOptions): Promise<SeedsSummary> {
  const { first, runs, overrides, workers, say, partial, chunkSeeds = CHUNK_SEEDS } = options;
  const summaries = new Map<number, ChunkSummary>();
  // What is kept may be of a shorter series, or of a longer one.
  const wanted = new Map([...chunksOf({ first, runs }, chunkSeeds)].map((one) => [one.first, one]));
  for (const summary of partial?.done ?? []) {
    if (wanted.get(summary.first)?.runs === summary.runs) summaries.set(summary.first, summary);
  }
  if (summaries.size > 0) say(`goes on after ${summaries.size * chunkSeeds} runs`);
  const done = (summary: ChunkSummary): void => {
    summaries.set(summary.first, summary);
    partial?.add(summary);
    for (const { seed, violation } of summary.failures) {
      say(`${violation.slice(0, 2000)}\nagain: npm run sim -- --seed ${seed}${flagsOf(overrides)}`);
    }
    if (summaries.size % SAY_EVERY_CHUNKS === 0) say(`${summaries.size * chunkSeeds} runs`);
  };
  const left = [...wanted.values()].filter((chunk) => !summaries.has(chunk.first)).values();
  if (workers > 1) await runInWorkers(left, workers, overrides, done);
  else for (const chunk of left) done(await runChunk(chunk, overrides));
  return summaryOf({ first, runs }, summaries);
}

function* chunksOf({ first, runs }: Chunk, chunkSeeds: number): Generator<Chunk, undefined> {
  for (let at = first; at < first + runs; at += chunkSeeds) {
    yield { first: at, runs: Math.min(chunkSeeds, first + runs - at) };
  }
  return undefined;
}

function summaryOf(series: Chunk, summaries: ReadonlyMap<number, ChunkSummary>): SeedsSummary {
  const counts = new Counts();
  const hash = new Trace(false);
  const failures: Failure[] = [];
  let eventsTotal = 0;
  let convergedMaxMs = 0;
  const inOrder = [...summaries.values()].sort((left, right) => left.first - right.first);
  for (const summary of inOrder) {
    for (const [what, count] of summary.counts) counts.add(what, count);
    hash.add(summary.first, summary.traceHash);
    failures.push(...summary.failures);
    eventsTotal += summary.eventsTotal;
    convergedMaxMs = Math.max(convergedMaxMs, summary.convergedMaxMs);
  }
  return { ...series, counts, failures, traceHash: hash.hash, eventsTotal, convergedMaxMs };
}

function flagsOf(overrides: PlanOverrides): string {
  return Object.entries(overrides)
    .map(([name, value]) => ` --${name} ${Array.isArray(value) ? value.join(",") : value}`)
    .join("");
}
