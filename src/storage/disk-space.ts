import { statfsSync } from "node:fs";
import { EnokiError } from "../core/errors.js";

/** With more than this left, the disk is not asked before each commit. */
const PLENTY_BYTES = 64 * 1024 * 1024;
/** How long an answer counts even then: others write to the disk, too. */
const ANSWER_COUNTS_MS = 100;
/** Left to what else must be written, above all to the node's own rows. */
const RESERVE_BYTES = 64 * 1024;

/** The space that a file system has left for us, in bytes. */
export function availableBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Refuses a commit that the disk has no room for before LMDB tries to write it.
 *
 * why: LMDB 0.9 as of lmdb-js 3.5.6 prints a message of up to 110 bytes into 100 when a write of
 * pages fails (`mdb_page_flush`), and the damage to the heap may end the node later.
 */
export class DiskSpace {
  readonly #available: () => number;
  readonly #nowMs: () => number;
  #leftBytes = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  /** `available`: bytes that are left, as the system says. */
  constructor(available: () => number, nowMs: () => number = () => performance.now()) {
    this.#available = available;
    this.#nowMs = nowMs;
  }

  /** @throws EnokiError `ENOKI_DISK_FULL` when less than `sizeBytes` and a reserve are left */
  require(sizeBytes: number): void {
    const nowMs = this.#nowMs();
    const isKnown = nowMs - this.#askedAtMs < ANSWER_COUNTS_MS;
    if (!isKnown || this.#leftBytes - sizeBytes < PLENTY_BYTES) {
      this.#leftBytes = this.#available();
      this.#askedAtMs = nowMs;
    }
    if (this.#leftBytes < sizeBytes + RESERVE_BYTES) throw new EnokiError("ENOKI_DISK_FULL");
    this.#leftBytes -= sizeBytes;
  }
}
