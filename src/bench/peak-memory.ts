import { readFileSync } from "node:fs";

const LOOK_EVERY_MS = 10;

/**
 * The memory of one process over some time, without pages of files: those belong to the system,
 * which takes them back when it wants to.
 */
export class PeakMemory {
  readonly beforeBytes: number;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peakBytes: number;
  #peakResidentBytes = 0;

  /** Begins to look. */
  constructor(pid: number) {
    this.#pid = pid;
    this.beforeBytes = readBytes(pid, "RssAnon");
    this.#peakBytes = this.beforeBytes;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** The most that was seen. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** For programs; `peakResidentBytes` is with pages of files. */
  get figures(): Readonly<Record<string, number>> {
    const { beforeBytes, peakBytes } = this;
    return { beforeBytes, peakBytes, peakResidentBytes: this.#peakResidentBytes };
  }

  /** Looks a last time. */
  stop(): void {
    clearInterval(this.#timer);
    this.#look();
  }

  #look(): void {
    this.#peakBytes = Math.max(this.#peakBytes, readBytes(this.#pid, "RssAnon"));
    this.#peakResidentBytes = Math.max(this.#peakResidentBytes, readBytes(this.#pid, "VmRSS"));
  }
}

/** A line of `/proc/PID/status`, in bytes. */
function readBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
}
