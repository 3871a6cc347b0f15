import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { table } from "../cli/output.js";
import { cpuTimesMs } from "./process-tree.js";
import { summarize, type CpuProfile, type Shares } from "./profile-summary.js";
import type { Resources } from "./resources.js";
import type { ProfileStart, ProfiledWork } from "./rows/context.js";

const WARM_UP_S = 2;
const RUN_S = 5;
const SAMPLING_US = 500;
const LINES = 20;

type CpuTimes = ReadonlyMap<number, number>;

/** A row that has something to profile. */
interface ProfiledRow {
  readonly profiled: (start: ProfileStart) => Promise<ProfiledWork>;
}

/**
 * Repeats a row's work with Node's profiler in the processes that it is about, and says where their
 * main threads spent their time and what processor time a unit of the work took.
 */
export async function profileRow(row: ProfiledRow, resources: Resources): Promise<string> {
  const folder = await resources.makeFolder();
  const work = await row.profiled({ resources, profiler: (role) => profilerArgs(folder, role) });
  await work.run(WARM_UP_S);
  const before = work.processes.map(({ pid }) => cpuTimesMs(pid));
  const startUs = monotonicUs();
  const done = await work.run(RUN_S);
  const endUs = monotonicUs();
  const after = work.processes.map(({ pid }) => cpuTimesMs(pid));
  await work.stop();
  const parts = [`${work.title}: ${Math.round(done.perS)} ${work.unit}s/s while profiled\n`];
  for (const [i, { role, pid }] of work.processes.entries()) {
    const used = processorTimes(pid, before[i] as CpuTimes, after[i] as CpuTimes);
    const perUnit = (timeMs: number): string => `${((timeMs * 1000) / done.units).toFixed(1)} µs`;
    const summary = summarize(await readProfile(folder, role), { startUs, endUs });
    parts.push(
      `processor time per ${work.unit}: ${role} ${perUnit(used.nodeMs)}, ` +
        `its other processes ${perUnit(used.othersMs)}\n`,
      `The main thread of ${role} by module`,
      shareTable(summary.groups),
      "Functions by their own time",
      shareTable(summary.selfTimes.slice(0, LINES)),
      "Functions by their time with all that they call",
      shareTable(summary.inclusiveTimes.slice(0, LINES)),
    );
  }
  return parts.join("\n");
}

/** why a folder each: a profile is named by its process and time alone. */
function profilerArgs(folder: string, role: string): readonly string[] {
  return [
    "--cpu-prof",
    `--cpu-prof-dir=${join(folder, role)}`,
    `--cpu-prof-interval=${SAMPLING_US}`,
  ];
}

/** why: V8 stamps its samples with this clock, too. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

async function readProfile(folder: string, role: string): Promise<CpuProfile> {
  const files = await readdir(join(folder, role)).catch(() => []);
  const name = files.find((file) => file.endsWith(".cpuprofile"));
  if (name === undefined) throw new Error(`${role} wrote no profile`);
  return JSON.parse(await readFile(join(folder, role, name), "utf8")) as CpuProfile;
}

function processorTimes(
  nodePid: number,
  before: CpuTimes,
  after: CpuTimes,
): { readonly nodeMs: number; readonly othersMs: number } {
  let nodeMs = 0;
  let othersMs = 0;
  for (const [pid, timeMs] of after) {
    const usedMs = timeMs - (before.get(pid) ?? 0);
    if (pid === nodePid) nodeMs += usedMs;
    else othersMs += usedMs;
  }
  return { nodeMs, othersMs };
}

function shareTable(rows: readonly Shares[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1).padStart(5)} %`;
  return table(
    ["self", "with callees", "where"],
    rows.map(({ self, inclusive, name }) => [percent(self), percent(inclusive), name]),
  );
}
