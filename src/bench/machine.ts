import { execFileSync } from "node:child_process";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Resources } from "./resources.js";
import { median } from "./statistics.js";
import { CONNECTIONS, wrkVersion } from "./wrk.js";

/** Where and when something was measured. */
export interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly python: string;
  readonly wrk: string;
  readonly connections: number;
  /** Median of a 4 KiB write and its sync where the data lay: what `strict` pays. */
  readonly syncMs: number;
  /** Share of the processors that others used just before. */
  readonly busyShare: number;
}

const SYNCS = 40;
const BUSY_WINDOW_MS = 500;

/** Looks at this machine; call it while nothing of the bench runs. */
export async function describeMachine(resources: Resources): Promise<Machine> {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: `${type()} ${release()} ${arch()}`,
    node: process.version,
    python: firstWords("python3", ["--version"]).replace(/^Python /, ""),
    wrk: wrkVersion() ?? "none",
    connections: CONNECTIONS,
    syncMs: measureSyncMs(await resources.makeFolder()),
    busyShare: await measureBusyShare(),
  };
}

function commit(): string {
  const hash = firstWords("git", ["rev-parse", "--short", "HEAD"]);
  const isChanged = firstWords("git", ["status", "--porcelain", "--", "src", "guest"]) !== "";
  return isChanged && hash !== "unknown" ? `${hash} with changes` : hash;
}

function firstWords(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .split("\n", 1)
      .join("")
      .trim();
  } catch {
    return "unknown";
  }
}

function measureSyncMs(folder: string): number {
  const file = openSync(join(folder, "sync"), "w");
  const page = Buffer.alloc(4096);
  const timesMs: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    const startMs = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    timesMs.push(performance.now() - startMs);
  }
  closeSync(file);
  return median(timesMs);
}

async function measureBusyShare(): Promise<number> {
  const before = processorTimesMs();
  await delay(BUSY_WINDOW_MS);
  const after = processorTimesMs();
  return (after.busyMs - before.busyMs) / Math.max(1, after.totalMs - before.totalMs);
}

/** Time of all processors so far: spent on anything, and in all. */
export function processorTimesMs(): { busyMs: number; totalMs: number } {
  let busyMs = 0;
  let totalMs = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.irq + times.idle;
    totalMs += all;
    busyMs += all - times.idle;
  }
  return { busyMs, totalMs };
}
