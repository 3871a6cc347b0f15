import { statfs } from "node:fs/promises";
import { rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { formatSizeBytes } from "../base/size.js";
import { openCgroupHome } from "../runtimes/cgroup-location.js";
import { findProgram, probePython } from "../runtimes/probes.js";
import { probeSandbox } from "../runtimes/sandbox-probe.js";
import type { CheckResult } from "./check-result.js";
import { checkPort, type PortToCheck } from "./port-check.js";

/** What `enoki doctor` looks at beside the machine itself. */
export interface CheckTargets {
  readonly dataDir: string;
  readonly ports: readonly PortToCheck[];
}

const NODE_MAJOR_MIN = 20;
const NODE_MINOR_MIN = 19;
const DISK_FREE_BYTES_MIN = 1024 ** 3;

/** Runs every check; none of them fails as a whole. */
export async function runChecks({ dataDir, ports }: CheckTargets): Promise<readonly CheckResult[]> {
  return await Promise.all([
    checkNode(process.versions.node),
    checkPython(),
    checkSandbox(),
    checkCgroup(),
    ...ports.map(checkPort),
    checkDisk(dataDir),
    checkLock(),
  ]);
}

/** Checks the version of Node. */
export function checkNode(version: string): CheckResult {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const ok = major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN);
  const fix = `install Node ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or later`;
  return { name: "node", ok, detail: version, isNeeded: true, ...(ok ? {} : { fix }) };
}

async function checkPython(): Promise<CheckResult> {
  const probe = await probePython();
  return "missing" in probe
    ? missing("python", probe.missing, { isNeeded: false })
    : { name: "python", ok: true, detail: `${probe.version} at ${probe.path}`, isNeeded: false };
}

async function checkSandbox(): Promise<CheckResult> {
  const probe = await probeSandbox();
  return "missing" in probe
    ? missing("bubblewrap", probe.missing, { isNeeded: false })
    : { name: "bubblewrap", ok: true, detail: `works (${probe.path})`, isNeeded: false };
}

function checkCgroup(): CheckResult {
  const home = openCgroupHome(`enoki-doctor-${process.pid}`);
  if (home === undefined) {
    const fix =
      "run the node where it may write its control group, such as a systemd unit with Delegate=yes";
    const detail = "no writable memory controller: memory limits are held by watching RSS";
    return { name: "cgroup", ok: false, detail, fix, isNeeded: false };
  }
  for (const dir of new Set(home.dirs.values())) rmdirSync(dir);
  const detail = `v${home.version}: ${[...home.dirs.keys()].join(", ")}`;
  return { name: "cgroup", ok: true, detail, isNeeded: false };
}

/** Checks that there is room where the data will be. */
export async function checkDisk(dataDir: string): Promise<CheckResult> {
  const dir = resolve(dataDir);
  const { bavail, bsize } = await statfs(dir).catch(() => nearest(dirname(dir)));
  const freeBytes = bavail * bsize;
  const ok = freeBytes >= DISK_FREE_BYTES_MIN;
  const detail = `${formatSizeBytes(freeBytes)} free for ${dir}`;
  const fix = "free some space, or choose another --data-dir";
  return { name: "disk", ok, detail, isNeeded: true, ...(ok ? {} : { fix }) };
}

async function checkLock(): Promise<CheckResult> {
  const flock = findProgram("flock");
  if (flock !== undefined) return { name: "flock", ok: true, detail: flock, isNeeded: true };
  const python = await probePython();
  if (!("missing" in python)) {
    return {
      name: "flock",
      ok: true,
      detail: "not installed; python3 takes its place",
      isNeeded: true,
    };
  }
  const fix = "install util-linux, or python3";
  return { name: "flock", ok: false, detail: "neither flock nor python3", fix, isNeeded: true };
}

/** A probe says what is wrong and the fix in one line, divided by the first semicolon. */
function missing(name: string, line: string, { isNeeded }: { isNeeded: boolean }): CheckResult {
  const at = line.indexOf(";");
  if (at === -1) return { name, ok: false, detail: line, isNeeded };
  return { name, ok: false, detail: line.slice(0, at), fix: line.slice(at + 1).trim(), isNeeded };
}

/** The file system of the nearest folder above that exists. */
async function nearest(dir: string): Promise<{ bavail: number; bsize: number }> {
  return await statfs(dir).catch((error: unknown) => {
    if (dirname(dir) === dir) throw error;
    return nearest(dirname(dir));
  });
}
