import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

/** A node gets so long to drain before it is killed. */
const STOP_TIMEOUT_MS = 15_000;
/** How long a server may take to say that it is ready. */
const READY_TIMEOUT_MS = 90_000;

/** A server in a process of its own. */
export interface Server {
  readonly pid: number;
  /** The first line that it printed. */
  readonly readyLine: string;
  /** Writes a line to its stdin. */
  tell(line: string): void;
  /** Calls `onLine` for each further line that it prints, and `onEnd` once there are no more. */
  listen(onLine: (line: string) => void, onEnd: () => void): void;
  /** Ends it with SIGTERM and waits. */
  stop(): Promise<void>;
}

/** Everything that has to be undone: processes and folders. */
export class Resources {
  readonly #children = new Set<ChildProcess>();
  readonly #folders: string[] = [];
  readonly #undoings: (() => Promise<void>)[] = [];
  readonly #scopes = new Set<Resources>();
  #isReleased = false;
  #releasing = Promise.resolve();

  /** True once {@link Resources.release} was called. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Resources that may be released before these are, and are released with them. */
  scope(): Resources {
    const scope = new Resources();
    scope.#isReleased = this.#isReleased;
    this.#scopes.add(scope);
    return scope;
  }

  /** Makes an empty folder, below `parent`, that lives until {@link Resources.release}. */
  async makeFolder(parent = tmpdir()): Promise<string> {
    const folder = await mkdtemp(join(parent, "enoki-bench-"));
    this.#folders.push(folder);
    return folder;
  }

  /** Runs a program to its end and returns what it printed. @throws Error when it fails */
  async run(command: string, args: readonly string[]): Promise<string> {
    const child = this.#spawn(command, args);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const code = await exitOf(child);
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${output}`);
    return output;
  }

  /** Starts a program that runs until {@link Resources.release} and whose output says nothing. */
  start(command: string, args: readonly string[]): void {
    const child = this.#spawn(command, args);
    child.stdout?.resume();
    child.stderr?.resume();
  }

  /**
   * Starts a server; resolves with its first line. `spawned` is told its process before it runs.
   * @throws Error when it ends before that
   */
  async startServer(
    command: string,
    args: readonly string[],
    spawned: (pid: number) => void = () => {},
  ): Promise<Server> {
    const child = this.#spawn(command, args);
    if (child.pid !== undefined) spawned(child.pid);
    let complaints = "";
    child.stderr?.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
    const lines = createInterface({ input: child.stdout! });
    const readyLine = await firstLine(child, lines);
    clearTimeout(timer);
    if (readyLine === undefined || child.pid === undefined) {
      throw new Error(`${command} ${args.join(" ")} did not get ready:\n${complaints}`);
    }
    return {
      pid: child.pid,
      readyLine,
      tell: (line) => void child.stdin?.write(`${line}\n`),
      listen: (onLine, onEnd) => void lines.on("line", onLine).once("close", onEnd),
      stop: () => this.#stop(child),
    };
  }

  /** Has something else undone after the processes, the last first. */
  onRelease(undo: () => Promise<void>): void {
    this.#undoings.push(undo);
  }

  /** Ends every process and removes every folder. Who calls it again waits for the call before, too. */
  release(): Promise<void> {
    this.#isReleased = true;
    this.#releasing = this.#releasing.then(() => this.#undoAll());
    return this.#releasing;
  }

  async #undoAll(): Promise<void> {
    const scopes = [...this.#scopes].map((scope) => scope.release());
    const children = [...this.#children].map((child) => this.#stop(child));
    await Promise.all([...scopes, ...children]);
    for (const undo of this.#undoings.splice(0).reverse()) await undo();
    for (const folder of this.#folders.splice(0)) {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** Ends every process without waiting; a killed node's guardian ends what the node started. */
  killAll(): void {
    for (const scope of this.#scopes) scope.killAll();
    for (const child of this.#children) child.kill("SIGKILL");
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    if (this.#isReleased) throw new Error("the bench was stopped");
    // Its own process group: Ctrl-C reaches the bench alone, which ends its children in order.
    const child = spawn(command, args, { detached: true, stdio: ["pipe", "pipe", "pipe"] });
    child.stdin.on("error", () => {});
    this.#children.add(child);
    child.once("close", () => this.#children.delete(child));
    child.once("error", () => this.#children.delete(child));
    return child;
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (!this.#children.has(child)) return;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    child.kill("SIGTERM");
    await exitOf(child);
    clearTimeout(timer);
  }
}

/** The exit code, or the signal that ended it. @throws Error when it could not be started */
function exitOf(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve(child.exitCode ?? child.signalCode);
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
}

/** The first line on stdout; `undefined` if there was none. Later ones are read and dropped. */
function firstLine(child: ChildProcess, lines: Interface): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("close", () => resolve(undefined));
    lines.on("line", resolve);
  });
}
