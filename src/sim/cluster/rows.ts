import { compareBytes } from "../../base/bytes.js";
import type { RangeOptions, Row } from "../../ports/storage.js";

/** Ordered rows. A copy shares them until one of the two is changed. */
export class Rows {
  #rows: Row[];
  #isShared = false;

  constructor(rows: Row[] = []) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#rows.length;
  }

  /** All rows, in order. */
  all(): readonly Row[] {
    return this.#rows;
  }

  copy(): Rows {
    this.#isShared = true;
    const copy = new Rows(this.#rows);
    copy.#isShared = true;
    return copy;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const row = this.#rows[this.#lowerBound(key)];
    return row && compareBytes(row.key, key) === 0 ? row.value : undefined;
  }

  range({ start, end, reverse = false, limit = Infinity }: RangeOptions): Row[] {
    const from = start ? this.#lowerBound(start) : 0;
    const to = end ? Math.max(from, this.#lowerBound(end)) : this.#rows.length;
    if (reverse) return this.#rows.slice(Math.max(from, to - limit), to).reverse();
    return this.#rows.slice(from, Math.min(to, from + limit));
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#own();
    const at = this.#lowerBound(key);
    const row = this.#rows[at];
    // Keys and values are views of larger pieces, which must not live on for their sake.
    const stored = { key: new Uint8Array(key), value: new Uint8Array(value) };
    if (row && compareBytes(row.key, key) === 0) this.#rows[at] = stored;
    else this.#rows.splice(at, 0, stored);
  }

  delete(key: Uint8Array): void {
    const at = this.#lowerBound(key);
    const row = this.#rows[at];
    if (!row || compareBytes(row.key, key) !== 0) return;
    this.#own();
    this.#rows.splice(at, 1);
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#rows = [...this.#rows];
    this.#isShared = false;
  }

  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#rows[middle] as Row).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
