import { compareBytes } from "../../src/base/bytes.js";
import type { RowPair, RowRange, RowReader, RowWrite } from "../../src/core/rows.js";

/** A small ordered store for tests of the core: writes are applied at once, snapshots are cheap. */
export class RowStore implements RowReader {
  #rows: RowPair[];

  constructor(rows: readonly RowPair[] = []) {
    this.#rows = [...rows];
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#seek(key);
    const row = this.#rows[at];
    return row && compareBytes(row.key, key) === 0 ? row.value : undefined;
  }

  range({ start, end, reverse = false, limit = Infinity }: RowRange): RowPair[] {
    const from = start ? this.#seek(start) : 0;
    const to = end ? this.#seek(end) : this.#rows.length;
    const rows = this.#rows.slice(from, Math.max(from, to));
    if (reverse) rows.reverse();
    return rows.slice(0, limit);
  }

  /** Stores the writes in their order. */
  apply(writes: Iterable<RowWrite>): void {
    for (const { key, value } of writes) {
      const at = this.#seek(key);
      const row = this.#rows[at];
      const isThere = row !== undefined && compareBytes(row.key, key) === 0;
      if (value) this.#rows.splice(at, isThere ? 1 : 0, { key, value });
      else if (isThere) this.#rows.splice(at, 1);
    }
  }

  /** All rows, in order. */
  rows(): readonly RowPair[] {
    return this.#rows;
  }

  /** An independent copy. */
  clone(): RowStore {
    return new RowStore(this.#rows);
  }

  #seek(key: Uint8Array): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#rows[middle] as RowPair).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
