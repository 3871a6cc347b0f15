import type { CatchUpChunk } from "../../core/catch-up.js";
import type { NodeName } from "../../core/ids.js";
import type { CatchUpProgress } from "./metrics.js";

/** Counts what a replica that joins has got, over all members that fill it one after the other. */
export class JoinProgress {
  #items = 0;
  #sizeBytes = 0;
  #share = 0;
  #from: NodeName | undefined;

  /** `undefined` before the first chunk. */
  get now(): CatchUpProgress | undefined {
    const from = this.#from;
    if (from === undefined) return undefined;
    return { from, items: this.#items, sizeBytes: this.#sizeBytes, share: this.#share };
  }

  /** Notes a chunk that is stored. */
  stored(from: NodeName, { records, position, at }: CatchUpChunk): void {
    this.#from = from;
    this.#items += records.length;
    for (const { key, live } of records) {
      this.#sizeBytes += key.length;
      for (const { version } of live) this.#sizeBytes += version?.value.bytes.length ?? 0;
    }
    let passed = 0;
    let all = 0;
    for (const dot of at.entries()) {
      all += dot.counter;
      passed += position ? Math.min(position.get(dot), dot.counter) : dot.counter;
    }
    this.#share = all === 0 ? 1 : passed / all;
  }

  /** What came so far is of no use. */
  reset(): void {
    this.#from = undefined;
    this.#items = 0;
    this.#sizeBytes = 0;
    this.#share = 0;
  }
}
