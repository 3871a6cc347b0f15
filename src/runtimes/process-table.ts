import { readdirSync, readFileSync } from "node:fs";

/** One row of `/proc`. */
export interface ProcessRow {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly startTicks: number;
  readonly residentPages: number;
}

/** Size of a page of memory on every platform that Node runs on with `/proc`. */
export const PAGE_BYTES = 4096;

/** Reads one `/proc/PID/stat`; undefined when there is no such process. */
export function readProcess(pid: number): ProcessRow | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  return parseStat(pid, text);
}

/** Parses the text of a `stat` file; the command may hold spaces and parentheses. */
export function parseStat(pid: number, text: string): ProcessRow {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index] ?? 0);
  return {
    pid,
    state: fields[0] ?? "X",
    parent: number(1),
    group: number(2),
    session: number(3),
    startTicks: number(19),
    residentPages: number(21),
  };
}

/** Every process there is; empty where `/proc` is not. */
export function readProcesses(): ProcessRow[] {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  const rows: ProcessRow[] = [];
  for (const name of names) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const row = readProcess(pid);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/** `root`, what descends from it, and what is in the sessions or groups of any of those. */
export function familyOf(roots: ReadonlySet<number>, rows: readonly ProcessRow[]): ProcessRow[] {
  const family = new Set(roots);
  for (let grown = true; grown;) {
    grown = false;
    for (const row of rows) {
      if (family.has(row.pid)) continue;
      if (!family.has(row.parent) && !family.has(row.session) && !family.has(row.group)) continue;
      family.add(row.pid);
      grown = true;
    }
  }
  return rows.filter((row) => family.has(row.pid));
}

/** True while the process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  const row = readProcess(pid);
  if (row !== undefined) return row.state !== "Z" && row.state !== "X";
  try {
    readFileSync("/proc/self/stat");
    return false;
  } catch {
    return answersSignal(pid);
  }
}

/** Memory of a process with shared pages divided among those who share them (PSS). */
export function proportionalBytes(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return undefined;
  }
}

/** When the process was started, in clock ticks since boot: tells it from a later one of the same id. */
export function processStartTicks(pid: number): number | undefined {
  return readProcess(pid)?.startTicks;
}

/** Sends a signal to a process, or with a negative number to a group; false when there is none. */
export function trySignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function answersSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
