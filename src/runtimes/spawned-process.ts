import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { EnokiError } from "../core/errors.js";
import type { Guardian } from "./guardian.js";
import { trySignal } from "./process-table.js";

/** How a process ended, as the operating system tells it. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running guest, however it was started. */
export interface ProcessHandle {
  readonly pid: number;
  readonly channel: Socket;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly ended: Promise<ProcessEnd>;
  readonly hasEnded: boolean;
  /** Asks the guest's process group to end. */
  terminate(): void;
  /** Ends the process group and whatever the process alone keeps alive. */
  kill(): void;
}

/** What to start, and where. */
export interface SpawnOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  readonly cwd: string;
  /** Control group files that the process writes its id to before it becomes the guest. */
  readonly joinFiles: readonly string[];
  /** A file of the node's that the process gets as descriptor 4. */
  readonly extraFd?: number;
  readonly guardian: Guardian;
}

/**
 * Joins the groups, offers itself first when the machine runs out of memory, becomes the command.
 * A process that joined later would leave children behind that it had started before.
 */
const JOIN_SCRIPT = `
n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1"; shift; n=$((n - 1)); done
echo 500 > /proc/self/oom_score_adj
exec 2>&5 5>&- "$@"
`;

/**
 * Starts a process in its own session with a channel at descriptor 3, registered with the guardian.
 * @throws EnokiError `ENOKI_RUNTIME_UNAVAILABLE` when the program cannot be started
 */
export async function spawnGuest(options: SpawnOptions): Promise<ProcessHandle> {
  const { joinFiles, command, args } = options;
  const child = spawn(
    "/bin/sh",
    ["-c", joinScript(options), "sh", `${joinFiles.length}`, ...joinFiles, command, ...args],
    {
      detached: true,
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe", "pipe", options.extraFd ?? "ignore"],
    },
  );
  const { pid } = child;
  if (pid === undefined) throw await startFailure(child, command);
  options.guardian.add(pid);
  child.on("error", () => {});
  const channel = child.stdio[3] as Socket;
  channel.on("error", () => {});
  return new SpawnedProcess(child, pid, channel);
}

/** Without an extra file the descriptor is closed, so that a guest inherits its channel only. */
function joinScript(options: SpawnOptions): string {
  const redirected = `exec 5>&2 2>/dev/null${options.extraFd === undefined ? " 4>&-" : ""}`;
  return `${redirected}\n${JOIN_SCRIPT}`;
}

class SpawnedProcess implements ProcessHandle {
  readonly pid: number;
  readonly channel: Socket;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly ended: Promise<ProcessEnd>;
  hasEnded = false;

  constructor(child: ChildProcess, pid: number, channel: Socket) {
    this.pid = pid;
    this.channel = channel;
    this.stdout = child.stdout ?? undefined;
    this.stderr = child.stderr ?? undefined;
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.hasEnded = true;
        resolve({ code, signal });
      });
    });
  }

  terminate(): void {
    trySignal(-this.pid, "SIGTERM");
  }

  kill(): void {
    trySignal(-this.pid, "SIGKILL");
  }
}

function startFailure(child: ChildProcess, command: string): Promise<EnokiError> {
  return new Promise((resolve) => {
    child.once("error", (cause) => {
      resolve(
        new EnokiError(
          "ENOKI_RUNTIME_UNAVAILABLE",
          `${command} could not be started: ${cause.message}`,
        ),
      );
    });
  });
}
