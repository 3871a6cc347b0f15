import { compareBytes } from "../base/bytes.js";
import type { RangeOptions, Row } from "../ports/storage.js";

/** A block with more rows becomes two. */
const BLOCK_ROWS_MAX = 256;

/**
 * Rows in memory, in the order of their keys. They lie in blocks, so that a new row moves a few
 * others and not all that follow it. Keys and values are kept and given as they are: nobody may
 * change their bytes.
 */
export class RowTable {
  /** In order; none is empty. */
  readonly #blocks: Row[][] = [];
  /** Where {@link #seek} has come to. */
  #block = 0;
  #at = 0;

  /** The value of a key. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#seek(key) ? this.#blocks[this.#block]?.[this.#at]?.value : undefined;
  }

  /** See `Reader.range`. */
  range({ start, end, reverse = false, limit = Infinity }: RangeOptions): Row[] {
    return reverse ? this.#backward(start, end, limit) : this.#forward(start, end, limit);
  }

  /** Stores the very bytes given and returns the value that was there before. */
  replace(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    const isThere = this.#seek(key);
    const block = this.#blocks[this.#block];
    if (!block) this.#blocks.push([{ key, value }]);
    else if (isThere) {
      const before = (block[this.#at] as Row).value;
      block[this.#at] = { key, value };
      return before;
    } else {
      block.splice(this.#at, 0, { key, value });
      if (block.length > BLOCK_ROWS_MAX) this.#split(this.#block, this.#at);
    }
    return undefined;
  }

  /** Removes the row and returns the value it had. */
  remove(key: Uint8Array): Uint8Array | undefined {
    if (!this.#seek(key)) return undefined;
    const block = this.#blocks[this.#block] as Row[];
    const [row] = block.splice(this.#at, 1);
    if (block.length === 0) this.#blocks.splice(this.#block, 1);
    return row?.value;
  }

  /** A block that grows at its end is left full: keys that only rise fill all blocks. */
  #split(index: number, grewAt: number): void {
    const block = this.#blocks[index] as Row[];
    const isAtEnd = grewAt === block.length - 1;
    const from = isAtEnd ? block.length - 1 : block.length >>> 1;
    this.#blocks.splice(index + 1, 0, block.splice(from));
  }

  #forward(start: Uint8Array | undefined, end: Uint8Array | undefined, limit: number): Row[] {
    const rows: Row[] = [];
    this.#seek(start);
    for (let index = this.#block, at = this.#at; index < this.#blocks.length; index++, at = 0) {
      const block = this.#blocks[index] as Row[];
      for (; at < block.length; at++) {
        const row = block[at] as Row;
        if (rows.length >= limit || (end && compareBytes(row.key, end) >= 0)) return rows;
        rows.push(row);
      }
    }
    return rows;
  }

  #backward(start: Uint8Array | undefined, end: Uint8Array | undefined, limit: number): Row[] {
    const rows: Row[] = [];
    if (end) this.#seek(end);
    else [this.#block, this.#at] = [this.#blocks.length, 0];
    for (let index = this.#block, at = this.#at - 1; index >= 0; index--) {
      const block = this.#blocks[index] ?? [];
      if (index < this.#block) at = block.length - 1;
      for (; at >= 0; at--) {
        const row = block[at] as Row;
        if (rows.length >= limit || (start && compareBytes(row.key, start) < 0)) return rows;
        rows.push(row);
      }
    }
    return rows;
  }

  /** Goes to the first row whose key is not below `key`; true if it is that key. */
  #seek(key: Uint8Array | undefined): boolean {
    this.#block = 0;
    this.#at = 0;
    if (!key) return false;
    const block = this.#blocks[(this.#block = this.#blockOf(key))];
    if (!block) return false;
    let low = 0;
    let high = block.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes((block[middle] as Row).key, key);
      if (order === 0) {
        this.#at = middle;
        return true;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.#at = low;
    return false;
  }

  /** The last block that does not begin above `key`, or the first. */
  #blockOf(key: Uint8Array): number {
    let low = 1;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const [first] = this.#blocks[middle] as [Row];
      if (compareBytes(first.key, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
