import { formatDot } from "./dot.js";
import type { Update } from "./update.js";
import type { Vector } from "./vector.js";

/** So many updates may wait unless a replica is opened otherwise. */
export const HELD_UPDATES_MAX = 1024;
const HELD_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Updates that wait for earlier ones. A cache: what is in it is never counted, stored or
 * acknowledged, and may be dropped at any time, because a catch-up brings it again.
 */
export class HeldUpdates {
  readonly #updates = new Map<string, Update>();
  readonly #updatesMax: number;
  #sizeBytes = 0;

  constructor(updatesMax: number) {
    this.#updatesMax = updatesMax;
  }

  /** How many wait. */
  get size(): number {
    return this.#updates.size;
  }

  /** Keeps an update if there is room; false if it was dropped. */
  hold(update: Update): boolean {
    const name = formatDot(update.dot);
    if (this.#updates.has(name)) return true;
    const sizeBytes = sizeOf(update);
    if (this.size >= this.#updatesMax || this.#sizeBytes + sizeBytes > HELD_BYTES_MAX) return false;
    this.#updates.set(name, update);
    this.#sizeBytes += sizeBytes;
    return true;
  }

  /** Takes out one update for which `isReady`, if there is one. */
  takeReady(isReady: (update: Update) => boolean): Update | undefined {
    for (const update of this.#updates.values()) {
      if (!isReady(update)) continue;
      this.#drop(update);
      return update;
    }
    return undefined;
  }

  /** Drops what `vector` covers by now, and what `isUnwanted`. */
  prune(vector: Vector, isUnwanted: (update: Update) => boolean): void {
    for (const update of this.#updates.values()) {
      if (vector.covers(update.dot) || isUnwanted(update)) this.#drop(update);
    }
  }

  #drop(update: Update): void {
    this.#updates.delete(formatDot(update.dot));
    this.#sizeBytes -= sizeOf(update);
  }
}

function sizeOf(update: Update): number {
  let sizeBytes = 0;
  for (const { key, value } of update.entries) sizeBytes += key.length + value.bytes.length;
  return sizeBytes;
}
