import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { MUST_HAPPEN } from "./coverage.js";
import { FAULT_KINDS, drawPlan, type FaultKind, type PlanOverrides } from "./plan.js";
import { measureAll, scalePage, scaleTable } from "./scale.js";
import { runScenario } from "./scenario.js";
import { commitOfNow } from "./series/commit.js";
import { PartialFile } from "./series/partial-file.js";
import { reportOf } from "./series/report.js";
import { runSeeds, type SeedsSummary } from "./series/seeds.js";
import { runPlan } from "./simulation.js";

const USAGE = `npm run sim -- --seed N       one run, with its counts and the hash of its trace
  --runs M                    M runs, from seed N on
  --workers W                 in so many threads; all processors without it
  --trace                     everything that happened, line by line
  --nodes N --policy lww|siblings|merge --durability relaxed|strict --mode links|raw --links mesh|hub|chain
  --faults ${FAULT_KINDS.join(",")}
  --scenario FILE             the scenario in that file, with the answers of now
  --scale --nodes 1000        how long a write takes in keygroups of 3, 16 and 64 members
npm run sim:soak              runs until it is stopped, from a seed that nobody has tried
npm run sim:report            seeds 1 to 100,000, or --runs M, into docs/sim-report.md; goes on
                              where it was when it was stopped
npm run sim:scale             what --scale shows, into docs/sim-scale.md`;

const REPORT = "docs/sim-report.md";
const PARTIAL = ".sim-report.partial";
const SCALE_PAGE = "docs/sim-scale.md";
const REPORT_RUNS = 100_000;
const SCALE_NODES = 1000;

type Arguments = ReadonlyMap<string, string>;

const say = (line: string): void => console.log(line);

/** Reads `--name value` pairs; a name without a value is a switch. */
function readArguments(args: readonly string[]): Map<string, string> {
  const read = new Map<string, string>();
  for (const [at, arg] of args.entries()) {
    if (!arg.startsWith("--")) continue;
    const next = args[at + 1];
    read.set(arg.slice(2), next === undefined || next.startsWith("--") ? "" : next);
  }
  return read;
}

function overridesOf(args: Arguments): PlanOverrides {
  const [nodes, faults] = [args.get("nodes"), args.get("faults")];
  return {
    ...(nodes !== undefined && { nodes: Number(nodes) }),
    ...(faults !== undefined && { faults: faults.split(",") as FaultKind[] }),
    ...(args.has("policy") && { policy: args.get("policy") as "lww" }),
    ...(args.has("durability") && { durability: args.get("durability") as "relaxed" }),
    ...(args.has("links") && { links: args.get("links") as "hub" }),
    ...(args.has("mode") && { mode: args.get("mode") as "links" }),
  };
}

function workersOf(args: Arguments): number {
  return Number(args.get("workers") ?? availableParallelism());
}

async function scale(args: Arguments): Promise<void> {
  const nodes = Number(args.get("nodes") ?? SCALE_NODES);
  const rows = await measureAll(nodes);
  if (!args.has("page")) {
    say(scaleTable(nodes, rows));
    return;
  }
  writeFileSync(SCALE_PAGE, scalePage(nodes, rows, commitOfNow().name));
  say(`written: ${SCALE_PAGE}`);
}

async function report(args: Arguments): Promise<SeedsSummary> {
  const runs = Number(args.get("runs") ?? REPORT_RUNS);
  const commit = commitOfNow();
  const overrides = overridesOf(args);
  const series = JSON.stringify({ commit: commit.name, overrides });
  // What has changes is no commit: the next time it may be others.
  const partial = commit.isChanged ? undefined : new PartialFile(PARTIAL, series);
  const workers = workersOf(args);
  const summary = await runSeeds({ first: 1, runs, overrides, workers, say, partial });
  writeFileSync(REPORT, reportOf(summary, commit.name));
  say(`written: ${REPORT}`);
  return summary;
}

async function runs(args: Arguments): Promise<SeedsSummary> {
  const overrides = overridesOf(args);
  const isSoak = args.has("soak");
  const first = Number(args.get("seed") ?? (isSoak ? Math.floor(performance.timeOrigin) : 1));
  const runs = Number(args.get("runs") ?? (isSoak ? Infinity : 1));
  if (args.has("trace")) {
    const { trace } = await runPlan(drawPlan(first, overrides), { keepsTrace: true });
    say(trace?.join("\n") ?? "");
  }
  const workers = runs === 1 ? 1 : workersOf(args);
  const summary = await runSeeds({ first, runs, overrides, workers, say });
  for (const [what, count] of summary.counts.entriesWith(MUST_HAPPEN))
    say(`${what.padEnd(34)} ${count}`);
  return summary;
}

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  const scenario = args.get("scenario");
  if (args.has("help")) say(USAGE);
  else if (scenario !== undefined) say(await runScenario(readFileSync(scenario, "utf8")));
  else if (args.has("scale")) await scale(args);
  else {
    const summary = args.has("report") ? await report(args) : await runs(args);
    const { failures, traceHash, eventsTotal } = summary;
    const failed = `${failures.length} failed`;
    say(`${summary.runs} runs, ${failed}, ${eventsTotal} events, hash ${traceHash}`);
    if (failures.length > 0) process.exitCode = 1;
  }
}

await main();
