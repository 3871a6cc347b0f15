import { closeSync, openSync, readSync } from "node:fs";

/** Size of a page of our stores (`src/storage/lmdb-environment.ts`). */
const PAGE_BYTES = 4096;
/** Both meta pages up to the last field that is of interest, read in one piece. */
const METAS_BYTES = PAGE_BYTES + 160;
/** Kept from one read to the next: 256 KiB. */
const PAGES_KEPT_MAX = 64;
/** A read meets two commits only if it is slow; then it may be slow again, and the node is asked. */
const ATTEMPTS_MAX = 3;
/** No value of ours is longer. */
const VALUE_BYTES_MAX = 32 * 1024 * 1024;
const DEPTH_MAX = 32;

const MAGIC = 0xbeefc0de;
const VERSION = 2;

/** Where the fields of a meta page lie. */
const META = { magic: 24, version: 28, pageSize: 48, flags: 100, root: 136, transaction: 152 };
/** Where the fields of any other page lie, and of a node in it. */
const PAGE = { number: 0, flags: 18, keysEnd: 20, base: 24 };
const NODE = { low: 0, high: 2, flags: 4, keySize: 6, key: 8 };

const IS_BRANCH = 1;
const IS_LEAF = 2;
const IS_BIG = 1;

/** Where a value lies; its bytes are valid until the next read, those of a large value for good. */
export interface FileValue {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

/** Where a key lies, until the next read, and its value. */
export interface FileRow {
  readonly page: Buffer;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly value: FileValue;
}

/** What `work` sees of one committed state. */
export interface FileState {
  get(key: Uint8Array): FileValue | undefined;
  /**
   * Visits the rows from `start` (inclusive) to `end` (exclusive), or the other way round, until
   * `visit` returns false.
   */
  visit(start: Uint8Array, end: Uint8Array, reverse: boolean, visit: RowVisitor): void;
}

type RowVisitor = (row: FileRow) => boolean;

/**
 * Reads an LMDB file that the node writes, without any lock and without LMDB.
 *
 * LMDB never writes over a page of a committed state before two more states have been committed, so
 * what was read of state S is whole if S+2 had not been committed by the end of the read. That is
 * what {@link read} checks. Why, and what is relied on: docs/decisions/0010-direct-reads.md.
 */
export class LmdbFile implements FileState {
  readonly #fd: number;
  /** Which state was the latest, before the read and after it. */
  readonly #metas = Buffer.allocUnsafeSlow(METAS_BYTES);
  readonly #metasAfter = Buffer.allocUnsafeSlow(METAS_BYTES);
  /** Pages of the state {@link #transaction}, by number; their buffers are used again and again. */
  readonly #pages = new Map<number, Buffer>();
  readonly #buffers: Buffer[] = [];
  #transaction = -1;
  #root = 0;
  /** Whether this read has taken anything from the file that no read before it has checked. */
  #hasRead = false;

  /** @throws Error when there is no such file */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Pages that are held for the next read. */
  get pagesHeld(): number {
    return this.#pages.size;
  }

  /**
   * Runs `work` on the latest committed state and returns what it returns; it may run several times.
   * Returns `overtaken` when the file was written too fast.
   * @throws Error when the file is not, or no longer, one that can be read this way
   */
  read<T, O>(work: (state: FileState) => T, overtaken: O): T | O {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const meta = this.#begin();
      let result: T | undefined;
      let failure: unknown;
      try {
        result = work(this);
      } catch (error) {
        failure = error;
      }
      // What was kept of this very state needs no second look.
      if (!this.#hasRead || this.#isStill(meta)) {
        if (failure !== undefined) throw failure as Error;
        return result as T;
      }
      this.#transaction = -1;
    }
    return overtaken;
  }

  get(key: Uint8Array): FileValue | undefined {
    let page = this.#rootPage();
    for (let depth = 0; page !== undefined; depth++) {
      const index = lowerBound(page, key);
      if (isLeaf(page)) return hasKeyAt(page, index, key) ? this.#valueAt(page, index) : undefined;
      page = this.#child(page, childIndex(page, index, key), depth);
    }
    return undefined;
  }

  visit(start: Uint8Array, end: Uint8Array, reverse: boolean, visit: RowVisitor): void {
    const root = this.#rootPage();
    if (root) this.#visit(root, { start, end, reverse, visit }, 0);
  }

  /** False once `visit` has returned false. */
  #visit(page: Buffer, range: VisitedRange, depth: number): boolean {
    const { start, end, reverse, visit } = range;
    const isOfRows = isLeaf(page);
    const bound = lowerBound(page, start);
    const first = isOfRows ? bound : childIndex(page, bound, start);
    const behind = lowerBound(page, end);
    const step = reverse ? -1 : 1;
    for (let i = reverse ? behind - 1 : first; i >= first && i < behind; i += step) {
      const goesOn = isOfRows
        ? visit(this.#rowAt(page, i))
        : this.#visit(this.#child(page, i, depth), range, depth + 1);
      if (!goesOn) return false;
    }
    return true;
  }

  /** Reads the meta pages; returns where the one of the latest state begins. */
  #begin(): number {
    readFully(this.#fd, this.#metas, METAS_BYTES, 0);
    const meta = latestMeta(this.#metas);
    const transaction = readWord(this.#metas, meta + META.transaction);
    this.#hasRead = transaction !== this.#transaction;
    if (this.#hasRead) {
      this.#transaction = transaction;
      this.#root = readWord(this.#metas, meta + META.root);
    }
    // Between reads the pages of a state that does not change are kept, but only so many.
    if (this.#hasRead || this.#pages.size > PAGES_KEPT_MAX) {
      this.#pages.clear();
      if (this.#buffers.length > PAGES_KEPT_MAX) this.#buffers.length = PAGES_KEPT_MAX;
    }
    return meta;
  }

  /** Whether the state of this read was whole and at most one newer has been committed. */
  #isStill(meta: number): boolean {
    readFully(this.#fd, this.#metasAfter, METAS_BYTES, 0);
    const end = meta + META.transaction + 8;
    const latest = latestMeta(this.#metasAfter);
    return (
      this.#metas.compare(this.#metasAfter, meta, end, meta, end) === 0 &&
      readWord(this.#metasAfter, latest + META.transaction) <= this.#transaction + 1
    );
  }

  #rootPage(): Buffer | undefined {
    return this.#root === NO_PAGE ? undefined : this.#page(this.#root);
  }

  #child(page: Buffer, index: number, depth: number): Buffer {
    if (depth > DEPTH_MAX) throw new Error("the tree is too deep");
    const node = nodeAt(page, index);
    const high = page.readUInt16LE(node + NODE.flags) * 2 ** 32;
    return this.#page(page.readUInt32LE(node + NODE.low) + high);
  }

  #page(number: number): Buffer {
    const kept = this.#pages.get(number);
    if (kept) return kept;
    const page = (this.#buffers[this.#pages.size] ??= Buffer.allocUnsafeSlow(PAGE_BYTES));
    this.#hasRead = true;
    readFully(this.#fd, page, PAGE_BYTES, number * PAGE_BYTES);
    if (readWord(page, PAGE.number) !== number) throw new Error("a page has another number");
    this.#pages.set(number, page);
    return page;
  }

  #rowAt(page: Buffer, index: number): FileRow {
    const node = nodeAt(page, index);
    const keyFrom = node + NODE.key;
    const keyTo = keyFrom + page.readUInt16LE(node + NODE.keySize);
    return { page, keyFrom, keyTo, value: this.#valueAt(page, index) };
  }

  #valueAt(page: Buffer, index: number): FileValue {
    const node = nodeAt(page, index);
    const flags = page.readUInt16LE(node + NODE.flags);
    const sizeBytes = page.readUInt32LE(node + NODE.low);
    const at = node + NODE.key + page.readUInt16LE(node + NODE.keySize);
    if (flags === 0) return { bytes: page, from: at, to: at + sizeBytes };
    if (flags !== IS_BIG || sizeBytes > VALUE_BYTES_MAX) throw new Error("a node is unknown");
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.#hasRead = true;
    readFully(this.#fd, bytes, sizeBytes, readWord(page, at) * PAGE_BYTES + PAGE.base);
    return { bytes, from: 0, to: sizeBytes };
  }
}

interface VisitedRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly reverse: boolean;
  readonly visit: RowVisitor;
}

/** The root of an empty tree: all bits set. */
const NO_PAGE = 0xffffffff * 2 ** 32 + 0xffffffff;

/** @throws Error when the pages are not meta pages of the one format that is known here */
function latestMeta(metas: Buffer): number {
  for (const meta of [0, PAGE_BYTES]) {
    const isKnown =
      metas.readUInt32LE(meta + META.magic) === MAGIC &&
      metas.readUInt32LE(meta + META.version) === VERSION &&
      metas.readUInt32LE(meta + META.pageSize) === PAGE_BYTES &&
      metas.readUInt16LE(meta + META.flags) === 0;
    if (!isKnown) throw new Error("not a store that can be read directly");
  }
  const isSecond =
    readWord(metas, PAGE_BYTES + META.transaction) > readWord(metas, META.transaction);
  return isSecond ? PAGE_BYTES : 0;
}

function readFully(fd: number, target: Buffer, sizeBytes: number, position: number): void {
  if (readSync(fd, target, 0, sizeBytes, position) !== sizeBytes) throw new Error("a page is cut");
}

function readWord(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
}

function isLeaf(page: Buffer): boolean {
  const flags = page.readUInt16LE(PAGE.flags);
  if (flags !== IS_LEAF && flags !== IS_BRANCH) throw new Error("a page is unknown");
  return flags === IS_LEAF;
}

function keyCount(page: Buffer): number {
  return page.readUInt16LE(PAGE.keysEnd) >> 1;
}

function nodeAt(page: Buffer, index: number): number {
  return page.readUInt16LE(PAGE.base + 2 * index) + PAGE.base;
}

function compareAt(page: Buffer, index: number, key: Uint8Array): number {
  const node = nodeAt(page, index);
  const at = node + NODE.key;
  return page.compare(key, 0, key.length, at, at + page.readUInt16LE(node + NODE.keySize));
}

/** The first index whose key is not below `key`. The first key of a branch counts as the lowest. */
function lowerBound(page: Buffer, key: Uint8Array): number {
  let low = isLeaf(page) ? 0 : 1;
  let high = keyCount(page);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAt(page, middle, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which child of a branch leads to `key`, given its lower bound. */
function childIndex(page: Buffer, bound: number, key: Uint8Array): number {
  return bound < keyCount(page) && compareAt(page, bound, key) === 0 ? bound : bound - 1;
}

function hasKeyAt(page: Buffer, index: number, key: Uint8Array): boolean {
  return index < keyCount(page) && compareAt(page, index, key) === 0;
}
