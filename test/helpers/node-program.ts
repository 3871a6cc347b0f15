import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { connect, type Client } from "../../src/client/index.js";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");

/** A node in a process of its own, which can be killed. */
export interface NodeProgram {
  readonly child: ChildProcess;
  readonly functionsUrl: string;
  readonly adminUrl: string;
  readonly client: Client;
  /** What it has written to stderr so far. */
  log(): string;
  /** Sends a signal and resolves with the exit code (or signal) once the process is gone. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/**
 * Starts `enoki up` on free ports; resolves when it is ready. `spawned` gets the process before that.
 * Needs `npm run build`.
 */
export async function startProgram(
  dataDir: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  spawned: (pid: number) => void = () => {},
): Promise<NodeProgram> {
  const ports = ["--function-port", "0", "--admin-port", "0"];
  const args = [MAIN, "up", "--json", "--data-dir", dataDir, ...ports, ...flags];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  if (child.pid !== undefined) spawned(child.pid);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? signal)),
  );
  const firstLine = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).once("line", resolve);
  });
  const line = await Promise.race([firstLine, ended]);
  if (typeof line !== "string" || !line.startsWith("{")) throw new Error(`no node: ${errors}`);
  const ready = JSON.parse(line) as { functions: string; admin: string };
  return {
    child,
    functionsUrl: ready.functions,
    adminUrl: ready.admin,
    client: connect(ready.admin),
    log: () => errors,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}
