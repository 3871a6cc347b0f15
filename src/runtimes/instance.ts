import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { constants } from "node:os";
import type { GuestExit, GuestProcess } from "../ports/runtime.js";
import type { Cage } from "./cage.js";
import type { Placed } from "./guest-host.js";
import type { ProcessEnd, ProcessHandle } from "./spawned-process.js";

/** What an instance is made of. */
export interface InstanceParts {
  readonly handle: ProcessHandle;
  readonly cage: Cage;
  readonly placed: Placed;
  /** Gives back what was taken for the instance; runs once, when none of its processes is left. */
  readonly onGone: () => Promise<void>;
}

/** A guest process with its cage: ends as a whole, once, for one reason. */
export class Instance implements GuestProcess {
  readonly pid: number;
  readonly channel: Socket;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly guestArtefactDir: string;
  readonly guestStoreFile: string | undefined;
  readonly exited: Promise<GuestExit>;
  readonly #parts: InstanceParts;
  #firstCause: string | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(parts: InstanceParts) {
    const { handle } = parts;
    this.#parts = parts;
    this.pid = handle.pid;
    this.channel = handle.channel;
    this.stdout = handle.stdout;
    this.stderr = handle.stderr;
    this.guestArtefactDir = parts.placed.artefactDir;
    this.guestStoreFile = parts.placed.storeFile;
    this.exited = handle.ended.then((end) => this.#finish(end));
  }

  /** True until the process itself has ended. */
  get isRunning(): boolean {
    return !this.#parts.handle.hasEnded;
  }

  kill(graceMs: number): Promise<GuestExit> {
    const { handle, cage } = this.#parts;
    if (!handle.hasEnded) {
      // why: out of memory closes the channel too, and whoever sees that kills the instance.
      this.#firstCause ??= cage.cause() === "oom" ? "oom" : "killed";
      if (graceMs > 0) {
        // why: who does not heed the signal may lose the parent by it that tells where it belongs.
        cage.note();
        handle.terminate();
        this.#graceTimer ??= setTimeout(() => this.#killAll(), graceMs);
      } else {
        this.#killAll();
      }
    }
    return this.exited;
  }

  #killAll(): void {
    // why: the whole first, while it is known who started whom.
    this.#parts.cage.kill();
    this.#parts.handle.kill();
  }

  async #finish(end: ProcessEnd): Promise<GuestExit> {
    clearTimeout(this.#graceTimer);
    const { cage, onGone } = this.#parts;
    const limit = cage.cause();
    await cage.destroy();
    await onGone();
    const exit = normaliseEnd(end);
    const reason = this.#reasonOf(exit, limit);
    return reason === undefined ? exit : { ...exit, reason };
  }

  #reasonOf(exit: ProcessEnd, limit: string | undefined): string | undefined {
    if (this.#firstCause === "oom" || (limit === "oom" && this.#firstCause === undefined))
      return "oom";
    if (this.#firstCause === "killed") return exit.signal === null ? undefined : "killed";
    return exit.code === 0 ? undefined : limit;
  }
}

/** A sandbox and a shell tell a signal as 128 + its number. */
export function normaliseEnd(end: ProcessEnd): ProcessEnd {
  if (end.code === null || end.code <= 128) return end;
  const name = Object.entries(constants.signals).find(
    ([, number]) => number === end.code! - 128,
  )?.[0];
  return name === undefined ? end : { code: null, signal: name };
}
