import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type Client } from "../../../src/client/index.js";
import { nodeMark } from "../../../src/runtimes/cgroup-location.js";
import { familyOf, isAlive, readProcesses } from "../../../src/runtimes/process-table.js";

const CLI = join(import.meta.dirname, "../../../dist/cli/main.js");

/** What `enoki up --json` prints once it is ready. */
export interface ReadyLine {
  readonly name: string;
  readonly functions: string | null;
  readonly admin: string | null;
  readonly dataDir: string;
  readonly pid: number;
  readonly isolation: string;
}

/** How a process ended, and everything that it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `enoki` is started with. */
export interface UpOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** User and group that the node runs as; only root may choose. Its directory becomes that user's. */
  readonly userId?: number;
  /** The command line of another copy of the program. */
  readonly cli?: string;
}

/** A node in a process of its own. */
export interface ChildNode {
  readonly process: ChildProcess;
  readonly ready: ReadyLine;
  readonly client: Client;
  readonly functionsUrl: string;
  readonly adminUrl: string;
  readonly ended: Promise<Ended>;
  /** Process ids of everything that the node has started, and of what those have. */
  family(): number[];
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Runs `enoki up` with exactly these arguments until it ends by itself. */
export function runUp(options: UpOptions): Promise<Ended> {
  return endOf(spawnUp(options));
}

/** Starts a node on free ports and waits until it is ready. Needs `npm run build`. */
export async function startChild(dataDir: string, options: UpOptions = {}): Promise<ChildNode> {
  const { args = [], userId } = options;
  if (userId !== undefined) await chown(dataDir, userId, userId);
  return await becomesReady(
    spawnUp({
      ...options,
      args: ["--data-dir", dataDir, "--function-port", "0", "--admin-port", "0", "--json", ...args],
    }),
  );
}

/** Starts a node with exactly these arguments, `--json` among them, and waits until it is ready. */
export function startUp(options: UpOptions): Promise<ChildNode> {
  return becomesReady(spawnUp(options));
}

async function becomesReady(child: ChildProcess): Promise<ChildNode> {
  const ended = endOf(child);
  const line = await firstLine(child, ended);
  const ready = JSON.parse(line) as ReadyLine;
  const family = (): number[] => {
    const roots = new Set([ready.pid, ...cgroupMembers(ready.dataDir)]);
    return familyOf(roots, readProcesses())
      .map(({ pid }) => pid)
      .filter((pid) => pid !== ready.pid);
  };
  return {
    process: child,
    ready,
    client: connect({ url: ready.admin ?? "", functionsUrl: ready.functions ?? "" }),
    functionsUrl: ready.functions ?? "",
    adminUrl: ready.admin ?? "",
    ended,
    family,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

function spawnUp({ args = [], env = {}, cwd, userId, cli = CLI }: UpOptions): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("ENOKI_"));
  return spawn(process.execPath, [cli, "up", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...Object.fromEntries(own), ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(userId === undefined ? {} : { uid: userId, gid: userId }),
  });
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => (printed[name] += text));
  }
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, ...printed };
}

function firstLine(child: ChildProcess, ended: Promise<Ended>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    void ended.then(({ code, signal, stderr }) =>
      reject(new Error(`the node ended with ${code ?? signal} before it was ready: ${stderr}`)),
    );
  });
}

/** What is in the node's control groups: processes that left its tree are still there. */
function cgroupMembers(dataDir: string): number[] {
  const mark = `/${nodeMark(join(dataDir, "run"))}`;
  return readProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => readText(`/proc/${pid}/cgroup`).includes(mark));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Those of `pids` that still run once `timeoutMs` have passed; sooner if none is left. */
export async function leftAfter(pids: readonly number[], timeoutMs: number): Promise<number[]> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const left = pids.filter(isAlive);
    if (left.length === 0 || performance.now() > endMs) return left;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Temporary directories and nodes of one test file; `remove` ends and deletes all of them. */
export class Nursery {
  readonly #dirs: string[] = [];
  readonly #nodes: ChildNode[] = [];

  async dir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "enoki-child-"));
    this.#dirs.push(dir);
    return dir;
  }

  async start(dataDir: string, options: UpOptions = {}): Promise<ChildNode> {
    return this.keep(await startChild(dataDir, options));
  }

  keep(node: ChildNode): ChildNode {
    this.#nodes.push(node);
    return node;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map((node) => node.end("SIGKILL")));
    for (const dir of this.#dirs.splice(0)) {
      await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }
}
