import { statfs } from "node:fs/promises";
import { rmdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, resolve } from "node:path";

import { formatSizeBytes } from "../base/size.js";
import { openCgroupHome } from "../runtimes/cgroup-location.js";
import { findProgram, probePython } from "../runtimes/probes.js";
import { probeSandbox } from "../runtimes/sandbox-probe.js";
import { wholeNumber } from "./command.js";

/** What one check found. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What is there, or what is wrong. */
  readonly detail: string;
  readonly fix?: string;
  /** False: a node runs without it, but does less. */
  readonly isNeeded: boolean;
}

/** What `enoki doctor` looks at beside the machine itself. */
export interface CheckTargets {
  readonly dataDir: string;
  readonly ports: readonly string[];
}

const NODE_MAJOR_MIN = 20;
const NODE_MINOR_MIN = 19;
const DISK_FREE_BYTES_MIN = 1024 ** 3;
const ANSWER_TIMEOUT_MS = 2000;

/** Runs every check; none of them fails as a whole. */
export async function runChecks({ dataDir, ports }: CheckTargets): Promise<readonly CheckResult[]> {
  const numbers = ports.map((port) => wholeNumber("port", port));
  return await Promise.all([
    checkNode(process.versions.node),
    checkPython(),
    checkSandbox(),
    checkCgroup(),
    ...numbers.map(checkPort),
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

/** Checks that a port is free, or that an Enoki node is what listens on it. */
export async function checkPort(port: number): Promise<CheckResult> {
  const name = "port";
  const code = await tryListen(port);
  if (code === undefined) return { name, ok: true, detail: `${port} is free`, isNeeded: true };
  if (code === "EADDRINUSE" && (await isEnoki(port))) {
    return { name, ok: true, detail: `${port} is used by an Enoki node`, isNeeded: true };
  }
  const fix = "choose another with --function-port or --admin-port";
  const detail = code === "EADDRINUSE" ? `${port} is occupied` : `${port} cannot be used (${code})`;
  return { name, ok: false, detail, fix, isNeeded: true };
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

function tryListen(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => done(undefined)));
  });
}

async function isEnoki(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal });
    return (await response.text()).startsWith("Enoki");
  } catch {
    return false;
  }
}

/** The file system of the nearest folder above that exists. */
async function nearest(dir: string): Promise<{ bavail: number; bsize: number }> {
  return await statfs(dir).catch((error: unknown) => {
    if (dirname(dir) === dir) throw error;
    return nearest(dirname(dir));
  });
}
