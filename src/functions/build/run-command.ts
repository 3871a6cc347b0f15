import { spawn } from "node:child_process";

import { EnokiError } from "../../core/errors.js";

/** A program that a build runs. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Put on top of the node's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** How it went. */
export interface CommandResult {
  /** 127 if the program does not exist. */
  readonly exitCode: number;
  /** What it wrote, stdout and stderr together; the beginning is dropped when it is long. */
  readonly output: string;
}

const TIMEOUT_MS = 5 * 60_000;
const OUTPUT_CHARS_MAX = 256 * 1024;

/**
 * Runs the command beside a watcher whose stdin is a pipe from the node. When the node dies, even
 * by SIGKILL, the pipe closes and the watcher ends the whole process group.
 */
const GUARD = `exec 3<&0
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
"$@" </dev/null 3<&-`;

/**
 * Runs a program to its end in a process group of its own, of which nothing is left afterwards.
 * @throws EnokiError `ENOKI_BUILD_FAILED` if it takes longer than `timeoutMs` (5 minutes); the
 * signal's reason if that aborts
 */
export async function runCommand(command: Command): Promise<CommandResult> {
  command.signal?.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", GUARD, "sh", command.program, ...command.args], {
    cwd: command.cwd,
    env: { ...inheritedEnvironment(), ...command.env },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const endGroup = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  };
  child.stdin.on("error", () => {});

  let output = "";
  const collect = (chunk: string): void => {
    output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);

  const timeoutMs = command.timeoutMs ?? TIMEOUT_MS;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup();
  }, timeoutMs);
  command.signal?.addEventListener("abort", endGroup);
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      // The watcher outlives the command and holds the pipes until its group is ended.
      child.once("exit", endGroup);
      child.once("close", (code) => resolve(code ?? -1));
    });
    command.signal?.throwIfAborted();
    if (isLate) throw timeoutError(command, timeoutMs, output);
    return { exitCode, output };
  } finally {
    clearTimeout(timer);
    command.signal?.removeEventListener("abort", endGroup);
  }
}

/** The last lines of a build's output: the part that says what went wrong. */
export function lastLines(output: string, lineCount = 40): string {
  return output.trimEnd().split("\n").slice(-lineCount).join("\n");
}

/** pip and npm are configured by the environment; the node's own secrets are none of theirs. */
function inheritedEnvironment(): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith("ENOKI_")) inherited[name] = value;
  }
  return inherited;
}

function timeoutError(command: Command, timeoutMs: number, output: string): EnokiError {
  const shown = [command.program, ...command.args.slice(0, 3)].join(" ");
  return new EnokiError(
    "ENOKI_BUILD_FAILED",
    `${shown} took longer than ${timeoutMs} ms\n${lastLines(output)}`,
  );
}
