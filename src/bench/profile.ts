import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { table } from "../cli/output.js";
import { cpuTimesMs } from "./process-tree.js";
import { summarize, type CpuProfile, type Shares } from "./profile-summary.js";
import type { Resources } from "./resources.js";
import { deployRow, urlOf, type LoadRow } from "./rows/load-row.js";
import { startNode } from "./servers.js";
import { runWrk, type Load } from "./wrk.js";

const WARM_UP_S = 2;
const RUN_S = 5;
const SAMPLING_US = 500;
const LINES = 20;

/**
 * Loads a row's function in `process` isolation with Node's profiler in the node, and says where
 * the node's main thread spent its time and what processor time each kind of process took.
 */
export async function profileRow(row: LoadRow, resources: Resources): Promise<string> {
  const folder = await resources.makeFolder();
  const node = await startNode(resources, {
    execArgs: ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${SAMPLING_US}`],
  });
  await deployRow(node.client, row, "process");
  const request = { url: urlOf(node, row, "process"), shape: row.shape };
  await runWrk(resources, { ...request, durationS: WARM_UP_S });
  const cpuBefore = cpuTimesMs(node.pid);
  const startUs = monotonicUs();
  const load = await runWrk(resources, { ...request, durationS: RUN_S });
  const endUs = monotonicUs();
  const cpuAfter = cpuTimesMs(node.pid);
  await node.stop();
  const profile = await readProfile(folder);
  const { groups, selfTimes, inclusiveTimes } = summarize(profile, { startUs, endUs });
  return [
    `${row.title}, process: ${Math.round(load.requestsPerS)} requests/s while profiled`,
    processorTimes(node.pid, cpuBefore, cpuAfter, load),
    "The node's main thread by module",
    shareTable(groups),
    "Functions by their own time",
    shareTable(selfTimes.slice(0, LINES)),
    "Functions by their time with all that they call",
    shareTable(inclusiveTimes.slice(0, LINES)),
  ].join("\n");
}

/** why: V8 stamps its samples with this clock, too. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

async function readProfile(folder: string): Promise<CpuProfile> {
  const name = (await readdir(folder)).find((file) => file.endsWith(".cpuprofile"));
  if (name === undefined) throw new Error("the node wrote no profile");
  return JSON.parse(await readFile(join(folder, name), "utf8")) as CpuProfile;
}

function processorTimes(
  nodePid: number,
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  { requests }: Load,
): string {
  let nodeMs = 0;
  let othersMs = 0;
  for (const [pid, timeMs] of after) {
    const usedMs = timeMs - (before.get(pid) ?? 0);
    if (pid === nodePid) nodeMs += usedMs;
    else othersMs += usedMs;
  }
  const perCall = (timeMs: number): string => `${((timeMs * 1000) / requests).toFixed(1)} µs`;
  return `processor time per call: node ${perCall(nodeMs)}, instances ${perCall(othersMs)}\n`;
}

function shareTable(rows: readonly Shares[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1).padStart(5)} %`;
  return table(
    ["self", "with callees", "where"],
    rows.map(({ self, inclusive, name }) => [percent(self), percent(inclusive), name]),
  );
}
