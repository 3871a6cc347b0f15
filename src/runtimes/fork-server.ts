import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { FrameReader } from "../channel/frames.js";
import { EnokiError } from "../core/errors.js";
import type { Guardian } from "./guardian.js";
import { trySignal } from "./process-table.js";
import type { ProcessEnd, ProcessHandle } from "./spawned-process.js";

const CONTROL_FRAME = 0x01;
const SOCKET_PATH_BYTES_MAX = 100;
/** why so long: it covers the start of Python, which took more than 10 s on a machine full of other work. */
const FORK_TIMEOUT_MS = 30_000;

interface ForkEvent {
  readonly event: "ready" | "forked" | "failed" | "exited";
  readonly id?: number;
  readonly pid?: number;
  readonly message?: string;
  readonly code?: number | null;
  readonly signal?: number | null;
}

/** A fork that was asked for and has not both reported and connected. */
interface PendingFork {
  readonly token: string;
  pid: number | undefined;
  channel: Socket | undefined;
  resolve(child: ForkedProcess): void;
  reject(cause: unknown): void;
}

/** What a fork server needs to be spoken to. */
export interface ForkServerOptions {
  readonly handle: ProcessHandle;
  readonly runDir: string;
  readonly guardian: Guardian;
}

/**
 * The node's side of the Python fork server: asks for instances, pairs their connections with
 * their process ids by a token, and learns from it how they end.
 */
export class ForkServer {
  readonly #options: ForkServerOptions;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, PendingFork>();
  readonly #children = new Map<number, ForkedProcess>();
  readonly #socketDir: string;
  readonly #listener: Server;
  readonly #listening: Promise<void>;
  #nextId = 1;
  #isGone = false;

  constructor(options: ForkServerOptions) {
    this.#options = options;
    this.#socketDir = makeSocketDir(options.runDir);
    this.#listener = createServer((socket) => this.#identify(socket));
    this.#listening = new Promise((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(this.socketPath, resolve);
    });
    const { handle } = options;
    handle.channel.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk, (_type, _id, payload) =>
        this.#heed(JSON.parse(payload.toString()) as ForkEvent),
      );
    });
    void handle.ended.then(() => this.#lose());
  }

  /** Where instances connect to. */
  get socketPath(): string {
    return join(this.#socketDir, "forks");
  }

  /** False once the server has ended and a new one is needed. */
  get isRunning(): boolean {
    return !this.#isGone;
  }

  /** Forks one instance. @throws EnokiError `ENOKI_RUNTIME_UNAVAILABLE` */
  async fork(): Promise<ProcessHandle> {
    await this.#listening;
    if (this.#isGone) throw unavailable("the Python fork server has ended");
    const id = this.#nextId++;
    const token = randomBytes(16).toString("hex");
    const child = new Promise<ForkedProcess>((resolve, reject) => {
      this.#pending.set(id, { token, pid: undefined, channel: undefined, resolve, reject });
    });
    const timer = setTimeout(
      () => this.#fail(id, "the fork server did not answer"),
      FORK_TIMEOUT_MS,
    );
    this.#send({ op: "fork", id, socket: this.socketPath, token });
    return await child.finally(() => clearTimeout(timer));
  }

  /** Ends the server and with it every instance that it has forked. */
  async close(): Promise<void> {
    const { handle } = this.#options;
    handle.channel.end();
    handle.kill();
    await handle.ended;
    this.#lose();
  }

  #send(message: object): void {
    const payload = Buffer.from(JSON.stringify(message));
    const header = Buffer.alloc(9);
    header.writeUInt32LE(payload.length + 5, 0);
    header.writeUInt8(CONTROL_FRAME, 4);
    this.#options.handle.channel.write(Buffer.concat([header, payload]));
  }

  #heed(event: ForkEvent): void {
    const { id = 0, pid = 0 } = event;
    if (event.event === "forked") {
      this.#options.guardian.add(pid);
      const fork = this.#pending.get(id);
      // why: given up meanwhile; nobody will ever speak to it.
      if (fork === undefined) trySignal(pid, "SIGKILL");
      else {
        fork.pid = pid;
        this.#complete(id, fork);
      }
    } else if (event.event === "failed") {
      this.#fail(id, event.message ?? "fork failed");
    } else if (event.event === "exited") {
      this.#childEnded(pid, { code: event.code ?? null, signal: signalName(event.signal) });
    }
  }

  /** The first line of a connection says which fork it belongs to. */
  #identify(socket: Socket): void {
    socket.on("error", () => {});
    socket.once("readable", () => {
      const line = (socket.read() as Buffer | null)?.toString("latin1") ?? "";
      const token = line.slice(0, line.indexOf("\n"));
      const found = [...this.#pending].find(
        ([, fork]) => fork.token === token && fork.channel === undefined,
      );
      if (found === undefined) {
        socket.destroy();
        return;
      }
      found[1].channel = socket;
      this.#complete(...found);
    });
  }

  #complete(id: number, fork: PendingFork): void {
    if (fork.pid === undefined || fork.channel === undefined) return;
    this.#pending.delete(id);
    const child = new ForkedProcess(fork.pid, fork.channel);
    this.#children.set(fork.pid, child);
    fork.resolve(child);
  }

  #fail(id: number, why: string): void {
    const fork = this.#pending.get(id);
    if (fork === undefined) return;
    this.#pending.delete(id);
    if (fork.pid !== undefined) trySignal(fork.pid, "SIGKILL");
    fork.channel?.destroy();
    fork.reject(unavailable(why));
  }

  #childEnded(pid: number, end: ProcessEnd): void {
    this.#options.guardian.remove(pid);
    const child = this.#children.get(pid);
    this.#children.delete(pid);
    child?.end(end);
    for (const [id, fork] of this.#pending)
      if (fork.pid === pid) this.#fail(id, "the instance ended at once");
  }

  /** The kernel ends what a fork server leaves behind. */
  #lose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#listener.close();
    rmSync(this.#socketDir, { recursive: true, force: true });
    for (const id of this.#pending.keys()) this.#fail(id, "the Python fork server has ended");
    for (const pid of this.#children.keys()) {
      trySignal(-pid, "SIGKILL");
      this.#childEnded(pid, { code: null, signal: "SIGKILL" });
    }
  }
}

class ForkedProcess implements ProcessHandle {
  readonly pid: number;
  readonly channel: Socket;
  readonly stdout = undefined;
  readonly stderr = undefined;
  readonly ended: Promise<ProcessEnd>;
  hasEnded = false;
  readonly #resolveEnded: (end: ProcessEnd) => void;

  constructor(pid: number, channel: Socket) {
    this.pid = pid;
    this.channel = channel;
    const { promise, resolve } = promiseWithResolve<ProcessEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  end(end: ProcessEnd): void {
    this.hasEnded = true;
    this.#resolveEnded(end);
  }

  terminate(): void {
    trySignal(-this.pid, "SIGTERM");
  }

  kill(): void {
    trySignal(-this.pid, "SIGKILL");
  }
}

/** Below the run directory, unless that has a longer path than a socket's may be. */
function makeSocketDir(runDir: string): string {
  const isShort = Buffer.byteLength(runDir) + 20 < SOCKET_PATH_BYTES_MAX;
  return mkdtempSync(join(isShort ? runDir : tmpdir(), "enoki-"));
}

function promiseWithResolve<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function signalName(number: number | null | undefined): string | null {
  if (number === null || number === undefined) return null;
  return (
    Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ??
    `signal ${number}`
  );
}

function unavailable(why: string): EnokiError {
  return new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", why);
}
