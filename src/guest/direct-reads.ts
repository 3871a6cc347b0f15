import { pageLimit, rowRange } from "../channel/scan-range.js";
import type { ScanOperation } from "../channel/operations.js";
import { soleValueOffset, soleValueTag } from "../core/item.js";
import { LIMITS } from "../core/limits.js";
import { itemRowKey } from "../core/rows.js";
import { decodeValue } from "./kv-values.js";
import { LmdbFile, type FileState, type FileValue } from "./lmdb-file.js";

/** What a direct read gives when only the node can answer. */
export const ASK_NODE: unique symbol = Symbol("ask the node");

/** One page of a scan, decoded. */
export interface DirectPage {
  readonly keys: readonly string[];
  readonly values: readonly unknown[];
  readonly more: boolean;
}

/**
 * Reads that an instance may do before it asks the node once: code that only reads then lets the
 * event loop turn now and again, as it would if all its reads went over the channel.
 */
const READS_IN_A_ROW_MAX = 256;

/**
 * Reads of the keygroup in the guest itself, from the store's file. They show the last commit, as
 * the node does. Only rows are read here that anybody understands alone: with siblings, CRDTs,
 * tombstones and expiries (the node's clock judges them) the node is asked.
 */
export class DirectReads {
  #path: string | null = null;
  #file: LmdbFile | undefined;
  #readsInARow = 0;
  /** Running calls that are to ask the node. */
  #askers = 0;
  readonly #noteRead: () => void;

  /** `noteRead` is called for each read that needs no node, on behalf of the running call. */
  constructor(noteRead: () => void = () => {}) {
    this.#noteRead = noteRead;
  }

  /** A call has begun that is to ask the node: so do all until it has ended. */
  pause(): void {
    this.#askers += 1;
  }

  /** Such a call has ended. */
  resume(): void {
    this.#askers -= 1;
  }

  /** Says where the store lies; it is opened with the first read. */
  use(path: string | null): void {
    this.#path = path;
  }

  /** The event loop has turned. */
  turned(): void {
    this.#readsInARow = 0;
  }

  /** The value of a key, or `missing`. */
  get(key: string, missing: unknown): unknown {
    return this.#read((state) => {
      const row = state.get(rowKeyOf(key));
      return row === undefined ? missing : decodeRow(row);
    });
  }

  /** Whether a key has a value. */
  exists(key: string): boolean | typeof ASK_NODE {
    return this.#read((state) => {
      const row = state.get(rowKeyOf(key));
      if (row === undefined) return false;
      return soleValueOffset(row.bytes, row.from, row.to, Infinity) < 0 ? ASK_NODE : true;
    });
  }

  /** The values of those keys that have one. */
  getMany(keys: readonly string[]): Map<string, unknown> | typeof ASK_NODE {
    return this.#read((state) => {
      const found = new Map<string, unknown>();
      let sizeBytes = 0;
      for (const key of keys) {
        const row = state.get(rowKeyOf(key));
        if (row === undefined) continue;
        const value = decodeRow(row);
        sizeBytes += row.to - row.from;
        // Too much at once is refused, and the node says how.
        if (value === ASK_NODE || sizeBytes > LIMITS.valueSizeBytesMax) return ASK_NODE;
        found.set(key, value);
      }
      return found;
    });
  }

  /** One page, with the bounds that the node gives its pages. */
  page(request: ScanOperation<string>): DirectPage | typeof ASK_NODE {
    return this.#read((state) => pageOf(state, request));
  }

  #read<T>(work: (state: FileState) => T): T | typeof ASK_NODE {
    if (!this.#path || this.#askers > 0) return ASK_NODE;
    if (++this.#readsInARow > READS_IN_A_ROW_MAX) return ASK_NODE;
    try {
      this.#file ??= new LmdbFile(this.#path);
      const found = this.#file.read(work, ASK_NODE);
      if (found !== ASK_NODE) this.#noteRead();
      return found;
    } catch {
      // The store was dropped, or is not as we know it: the node decides from now on.
      this.#path = null;
      this.#file?.close();
      return ASK_NODE;
    }
  }
}

function rowKeyOf(key: string): Uint8Array {
  return itemRowKey(Buffer.from(key, "utf8"));
}

/** What a row shows if that needs neither a clock nor a policy. */
function decodeRow({ bytes, from, to }: FileValue): unknown {
  const at = soleValueOffset(bytes, from, to, Infinity);
  return at < 0 ? ASK_NODE : decodeValue(soleValueTag(bytes, from), bytes, at, to);
}

function pageOf(state: FileState, request: ScanOperation<string>): DirectPage | typeof ASK_NODE {
  const { keysOnly, reverse } = request;
  const limit = pageLimit(request.limit);
  const range = rowRange({
    ...request,
    start: Buffer.from(request.start, "utf8"),
    end: request.end === undefined ? undefined : Buffer.from(request.end, "utf8"),
    prefix: request.prefix === undefined ? undefined : Buffer.from(request.prefix, "utf8"),
  });
  const keys: string[] = [];
  const values: unknown[] = [];
  if (!range) return { keys, values, more: false };
  let sizeBytes = 0;
  let more = false;
  let isPlain = true;
  state.visit(range.start, range.end, reverse, ({ page, keyFrom, keyTo, value }) => {
    more = keys.length >= limit || sizeBytes > LIMITS.scanPageBytesMax;
    if (more) return false;
    const decoded = decodeRow(value);
    isPlain = decoded !== ASK_NODE;
    if (!isPlain) return false;
    // The row's key is the item's behind one byte.
    keys.push(page.toString("utf8", keyFrom + 1, keyTo));
    sizeBytes += keyTo - keyFrom + value.to - value.from;
    if (!keysOnly) values.push(decoded);
    return true;
  });
  return isPlain ? { keys, values, more } : ASK_NODE;
}
