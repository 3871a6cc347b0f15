import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EnokiError } from "../core/errors.js";
import type { Logger } from "../ports/logger.js";
import { FCNTL_LOCK_PROGRAM, GUARDIAN_SCRIPT, LOCK_HELD_EXIT } from "./guardian-script.js";
import { isAlive, processStartTicks } from "./process-table.js";

/**
 * Holds a data directory for one node and ends the node's processes should the node be killed.
 *
 * Invariants: 1. the lock is held for as long as a registered process may live; 2. a process is
 * registered in the turn that starts it.
 */
export interface Guardian {
  /** Registers a process that leads its own process group. */
  add(pid: number): void;
  /** Forgets a process that has ended. */
  remove(pid: number): void;
  /** Registers a control group; its members and its children's members are killed too. */
  addCgroup(dir: string): void;
  /** Registers a text that only processes of this node have in their environment. */
  addMarker(text: string): void;
  /** Ends whatever is still registered and gives the directory free. */
  release(): Promise<void>;
}

/** Whose directory to hold. */
export interface GuardianOptions {
  readonly dataDir: string;
  readonly logger: Logger;
  /** Called when a dead guardian could not be replaced: the directory is no longer ours. */
  readonly onLost?: (cause: unknown) => void;
}

const TAKEOVER_TIMEOUT_MS = 5_000;
const TAKEOVER_POLL_MS = 25;
const DYING_GRACE_MS = 400;

/**
 * Locks `dataDir` for this process, waiting while the guardian of a killed node cleans up.
 * @throws EnokiError `ENOKI_DATA_DIR_IN_USE` when a living node holds it
 */
export async function acquireGuardian(options: GuardianOptions): Promise<Guardian> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const shell = await takeLock(options.dataDir);
  writeFileSync(
    holderFile(options.dataDir),
    `${process.pid} ${processStartTicks(process.pid) ?? 0}\n`,
  );
  return new ShellGuardian(options, shell);
}

class ShellGuardian implements Guardian {
  readonly #options: GuardianOptions;
  readonly #pids = new Set<number>();
  readonly #cgroups = new Set<string>();
  readonly #markers = new Set<string>();
  #shell: ChildProcess;
  #isReleased = false;
  #replacement: Promise<void> = Promise.resolve();

  constructor(options: GuardianOptions, shell: ChildProcess) {
    this.#options = options;
    this.#shell = shell;
    this.#watch(shell);
  }

  add(pid: number): void {
    this.#pids.add(pid);
    this.#tell(`add ${pid}\n`);
  }

  remove(pid: number): void {
    if (this.#pids.delete(pid)) this.#tell(`del ${pid}\n`);
  }

  addCgroup(dir: string): void {
    this.#cgroups.add(dir);
    this.#tell(`cgroup ${dir}\n`);
  }

  addMarker(text: string): void {
    this.#markers.add(text);
    this.#tell(`marker ${text}\n`);
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    // why: whoever takes the place of a dead guardian has to end what is registered, too.
    await this.#replacement;
    this.#isReleased = true;
    const shell = this.#shell;
    rmSync(holderFile(this.#options.dataDir), { force: true });
    if (hasEnded(shell)) return;
    await endOf(shell);
    if (shell.signalCode === null) return;
    // It was killed a moment before, and has ended nobody.
    await this.#replace();
    if (!hasEnded(this.#shell)) await endOf(this.#shell);
  }

  #tell(line: string): void {
    const input = this.#shell.stdin;
    if (input !== null && input.writable) input.write(line);
  }

  #watch(shell: ChildProcess): void {
    shell.unref();
    for (const stream of [shell.stdin, shell.stdout]) {
      if (stream !== null && "unref" in stream) (stream as { unref(): void }).unref();
    }
    shell.stdin?.on("error", () => {});
    shell.once("exit", () => {
      if (!this.#isReleased) this.#replacement = this.#replace();
    });
  }

  async #replace(): Promise<void> {
    const { dataDir, logger, onLost } = this.#options;
    logger.warn({ dataDir }, "the guardian process ended; starting another");
    try {
      const shell = await takeLock(dataDir);
      this.#shell = shell;
      this.#watch(shell);
      for (const pid of this.#pids) this.#tell(`add ${pid}\n`);
      for (const dir of this.#cgroups) this.#tell(`cgroup ${dir}\n`);
      for (const text of this.#markers) this.#tell(`marker ${text}\n`);
    } catch (cause) {
      logger.error({ dataDir, cause: String(cause) }, "the guardian could not be replaced");
      onLost?.(cause);
    }
  }
}

function hasEnded(shell: ChildProcess): boolean {
  return shell.exitCode !== null || shell.signalCode !== null;
}

/** Lets a guardian end what is registered, and waits for its own end. */
async function endOf(shell: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    shell.once("exit", () => resolve());
  });
  shell.ref();
  shell.stdin?.end();
  await ended;
}

async function takeLock(dataDir: string): Promise<ChildProcess> {
  const startedAtMs = Date.now();
  for (;;) {
    const shell = await tryLock(dataDir);
    if (shell !== undefined) return shell;
    const holder = livingHolder(dataDir);
    const waitedMs = Date.now() - startedAtMs;
    // why: a process that was killed a moment ago is still there.
    if (holder !== undefined && (holder === process.pid || waitedMs > DYING_GRACE_MS)) {
      throw inUse(dataDir, `process ${holder} holds it`);
    }
    if (waitedMs > TAKEOVER_TIMEOUT_MS) throw inUse(dataDir, "its lock is held");
    await delay(TAKEOVER_POLL_MS);
  }
}

function inUse(dataDir: string, why: string): EnokiError {
  return new EnokiError("ENOKI_DATA_DIR_IN_USE", `${dataDir} is used by another node: ${why}`);
}

/** Undefined when somebody else holds the lock. */
async function tryLock(dataDir: string): Promise<ChildProcess | undefined> {
  const lock = join(dataDir, "lock");
  const flock = ["--nonblock", "--no-fork", "--conflict-exit-code", `${LOCK_HELD_EXIT}`, lock];
  const outcome = await startLocked("flock", [...flock, "sh", "-c", GUARDIAN_SCRIPT]);
  if (outcome !== "missing") return outcome;
  const fallback = await startLocked("python3", ["-c", FCNTL_LOCK_PROGRAM, lock, GUARDIAN_SCRIPT]);
  if (fallback !== "missing") return fallback;
  throw new EnokiError(
    "ENOKI_RUNTIME_UNAVAILABLE",
    "neither flock (util-linux) nor python3 was found on PATH",
  );
}

function startLocked(
  program: string,
  args: readonly string[],
): Promise<ChildProcess | "missing" | undefined> {
  const child = spawn(program, args, {
    // Its own session, so that neither Ctrl-C nor a kill of the node's process group reaches it.
    detached: true,
    cwd: "/",
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
  });
  return new Promise((resolve, reject) => {
    child.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") resolve("missing");
      else reject(cause);
    });
    child.stdout.once("data", () => resolve(child));
    child.once("exit", (code, signal) => {
      if (code === LOCK_HELD_EXIT) resolve(undefined);
      else
        reject(
          new EnokiError(
            "ENOKI_INTERNAL",
            `the guardian ended at once (${program}: ${code ?? signal})`,
          ),
        );
    });
  });
}

function holderFile(dataDir: string): string {
  return join(dataDir, "node.pid");
}

/** The process id in the holder's file, if that very process still lives. */
function livingHolder(dataDir: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(holderFile(dataDir), "utf8");
  } catch {
    return undefined;
  }
  const [pid = 0, startTicks = 0] = text.trim().split(" ").map(Number);
  if (pid <= 0 || !isAlive(pid)) return undefined;
  // why: a process id may have been given to another program since.
  return (processStartTicks(pid) ?? 0) === startTicks ? pid : undefined;
}
