import { readFileSync, writeFileSync } from "node:fs";
import { FAULT_KINDS, drawPlan, type FaultKind, type PlanOverrides } from "./plan.js";
import { reportOf } from "./report.js";
import { MEMBERS, measureScale, scaleTable, TOPOLOGIES, type ScaleRow } from "./scale.js";
import { runScenario } from "./scenario.js";
import { runSeeds } from "./seeds.js";
import { runPlan } from "./simulation.js";

const USAGE = `npm run sim -- --seed N       one run, with its counts and the hash of its trace
  --runs M                    M runs, from seed N on
  --trace                     everything that happened, line by line
  --nodes N --policy lww|siblings|merge --durability relaxed|strict --mode links|raw
  --faults ${FAULT_KINDS.join(",")}
  --scenario FILE             the scenario in that file, with the answers of now
  --scale --nodes 1000        how long a write takes in keygroups of 3, 16 and 64 members
npm run sim:soak              runs until it is stopped, from a seed that nobody has tried
npm run sim:report            seeds 1 to 100,000, or --runs M, into docs/sim-report.md`;

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

function overridesOf(args: ReadonlyMap<string, string>): PlanOverrides {
  const [nodes, faults] = [args.get("nodes"), args.get("faults")];
  return {
    ...(nodes !== undefined && { nodes: Number(nodes) }),
    ...(faults !== undefined && { faults: faults.split(",") as FaultKind[] }),
    ...(args.has("policy") && { policy: args.get("policy") as "lww" }),
    ...(args.has("durability") && { durability: args.get("durability") as "relaxed" }),
    ...(args.has("mode") && { mode: args.get("mode") as "links" }),
  };
}

async function tableOfScale(nodes: number): Promise<string> {
  const rows: ScaleRow[] = [];
  for (const topology of TOPOLOGIES) {
    for (const members of MEMBERS) rows.push(await measureScale(nodes, members, topology));
  }
  return scaleTable(nodes, rows);
}

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  if (args.has("help")) {
    console.log(USAGE);
    return;
  }
  const scenario = args.get("scenario");
  if (scenario !== undefined) {
    console.log(await runScenario(readFileSync(scenario, "utf8")));
    return;
  }
  if (args.has("scale")) {
    console.log(await tableOfScale(Number(args.get("nodes") ?? 1000)));
    return;
  }
  const overrides = overridesOf(args);
  const isSoak = args.has("soak");
  const first = Number(args.get("seed") ?? (isSoak ? Math.floor(performance.timeOrigin) : 1));
  const isReport = args.has("report");
  const runs = Number(args.get("runs") ?? (isSoak ? Infinity : isReport ? 100_000 : 1));
  if (args.has("trace")) {
    const { trace } = await runPlan(drawPlan(first, overrides), { keepsTrace: true });
    console.log(trace?.join("\n"));
  }
  const summary = await runSeeds(first, runs, overrides, (line) => console.log(line));
  if (isReport) {
    writeFileSync("docs/sim-report.md", reportOf(summary, await tableOfScale(1000)));
    console.log("written: docs/sim-report.md");
  } else {
    for (const [what, count] of summary.counts.entries()) {
      console.log(`${what.padEnd(34)} ${count}`);
    }
  }
  const { failures, traceHash, eventsTotal } = summary;
  console.log(`${runs} runs, ${failures.length} failed, ${eventsTotal} events, hash ${traceHash}`);
  if (failures.length > 0) process.exitCode = 1;
}

await main();
