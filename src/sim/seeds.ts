import { Counts } from "./counts.js";
import { drawPlan, type PlanOverrides } from "./plan.js";
import { runPlan } from "./simulation.js";
import { Trace } from "./trace.js";

/** What came of many runs. */
export interface SeedsSummary {
  readonly first: number;
  readonly runs: number;
  readonly counts: Counts;
  readonly failures: readonly { readonly seed: number; readonly violation: string }[];
  /** One hash of the hashes of all traces. */
  readonly traceHash: string;
  readonly eventsTotal: number;
  /** The longest time from the last fault until all were equal. */
  readonly convergedMaxMs: number;
}

/** How often a long series says how far it is. */
const SAY_EVERY_RUNS = 1000;

/** Runs one seed after the other; says what fails, and how to see it again. */
export async function runSeeds(
  first: number,
  runs: number,
  overrides: PlanOverrides,
  say: (line: string) => void,
): Promise<SeedsSummary> {
  const counts = new Counts();
  const hash = new Trace(false);
  const failures: { seed: number; violation: string }[] = [];
  let eventsTotal = 0;
  let convergedMaxMs = 0;
  for (let seed = first; seed < first + runs; seed++) {
    const run = await runPlan(drawPlan(seed, overrides));
    counts.merge(run.counts);
    hash.add(seed, run.traceHash);
    eventsTotal += run.events;
    convergedMaxMs = Math.max(convergedMaxMs, run.convergedMs ?? 0);
    if (run.violation !== undefined) {
      failures.push({ seed, violation: run.violation });
      say(
        `${run.violation.slice(0, 2000)}\nagain: npm run sim -- --seed ${seed}${flagsOf(overrides)}`,
      );
    }
    const done = seed - first + 1;
    if (done % SAY_EVERY_RUNS === 0) say(`${done} runs, ${failures.length} failed`);
  }
  const traceHash = hash.hash;
  return { first, runs, counts, failures, traceHash, eventsTotal, convergedMaxMs };
}

function flagsOf(overrides: PlanOverrides): string {
  return Object.entries(overrides)
    .map(([name, value]) => ` --${name} ${Array.isArray(value) ? value.join(",") : value}`)
    .join("");
}
