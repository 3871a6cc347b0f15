import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { bytesAlone, parseMemoryMap } from "./memory-map.js";
import { familyOf, proportionalBytes, readProcesses } from "../runtimes/process-table.js";

/** Memory of a node with all its processes. */
export interface MeasuredMemory {
  /** The largest first. */
  readonly processes: readonly MeasuredProcess[];
  /** Sum over the processes, shared pages divided among those who share them. */
  readonly pssBytes: number;
  /** The same if nobody else mapped the files that they map. */
  readonly aloneBytes: number;
}

/** One process of a node. */
export interface MeasuredProcess {
  readonly pid: number;
  readonly command: string;
  readonly pssBytes: number;
}

/** Linux counts processor time in hundredths of a second on every platform that Node runs on. */
const TICK_MS = 10;
const QUIET_WINDOW_MS = 100;

/** Ids of a node's processes: all that descend from it or share its sessions. */
function pidsOf(pid: number): number[] {
  return familyOf(new Set([pid]), readProcesses()).map((row) => row.pid);
}

/** Processor time that each process of a node has used so far, in ms, by process id. */
export function cpuTimesMs(pid: number): Map<number, number> {
  const times = new Map<number, number>();
  for (const member of pidsOf(pid)) {
    const fields = readText(`/proc/${member}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ");
    times.set(member, (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS);
  }
  return times;
}

/** Resolves once a node's processes have used next to no processor time for 200 ms. */
export async function whenQuiet(pid: number, timeoutMs = 5000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  let before = totalOf(cpuTimesMs(pid));
  for (let quietWindows = 0; quietWindows < 2 && performance.now() < endMs;) {
    await delay(QUIET_WINDOW_MS);
    const now = totalOf(cpuTimesMs(pid));
    quietWindows = Math.abs(now - before) <= TICK_MS ? quietWindows + 1 : 0;
    before = now;
  }
}

/** Memory of a node's processes. */
export function measureMemory(pid: number): MeasuredMemory {
  const pids = pidsOf(pid);
  const processes = pids.map((member) => ({
    pid: member,
    command: readText(`/proc/${member}/cmdline`).replaceAll("\0", " ").trim().slice(0, 200),
    pssBytes: proportionalBytes(member) ?? 0,
  }));
  return {
    processes: processes.toSorted((a, b) => b.pssBytes - a.pssBytes),
    pssBytes: processes.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
    aloneBytes: bytesAlone(pids.map((member) => parseMemoryMap(readText(`/proc/${member}/smaps`)))),
  };
}

function totalOf(times: ReadonlyMap<number, number>): number {
  let totalMs = 0;
  for (const timeMs of times.values()) totalMs += timeMs;
  return totalMs;
}

/** `""` for a process that has ended. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
