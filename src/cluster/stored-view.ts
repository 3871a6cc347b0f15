import type { Storage } from "../ports/storage.js";
import { type AnyRecord, decodeRecord, encodeRecord, keyOf } from "./record-codec.js";

/** First byte of the directory's rows in the node's own store. */
const ROW_PREFIX = "d";
const DISK_ROW = `${ROW_PREFIX}:disk`;
/** Before the key of a record; sorts after {@link DISK_ROW}. */
const RECORD_PREFIX = `${ROW_PREFIX}=`;

/** A change of the last view: a record, or the key of one that is forgotten. */
export type StoredChange = { readonly record: AnyRecord } | { readonly forgotten: string };

/** The last view of the global configuration, in the node's own store. */
export class StoredView {
  readonly #storage: Storage;
  /** Names the disk: made with the store, and lost with it. */
  readonly disk: string;

  /** Opens the view; `newDisk` names a disk that has none yet. */
  constructor(storage: Storage, newDisk: string) {
    this.#storage = storage;
    const stored = storage.get(bytesOf(DISK_ROW));
    this.disk = stored === undefined ? newDisk : textOf(stored);
    if (stored === undefined) {
      storage.transact((transaction) => transaction.put(bytesOf(DISK_ROW), bytesOf(newDisk)));
    }
  }

  /** Everything that was stored. */
  load(): AnyRecord[] {
    const start = bytesOf(RECORD_PREFIX);
    const end = bytesOf(`${ROW_PREFIX}>`);
    return this.#storage.range({ start, end }).flatMap(({ key, value }) => {
      const record = decodeRecord(textOf(key).slice(RECORD_PREFIX.length), textOf(value));
      return record === undefined ? [] : [record];
    });
  }

  /** Resolves once the changes are on stable storage. */
  async store(changes: readonly StoredChange[]): Promise<void> {
    this.#storage.transact((transaction) => {
      for (const change of changes) {
        if ("forgotten" in change) transaction.delete(bytesOf(RECORD_PREFIX + change.forgotten));
        else {
          const key = bytesOf(RECORD_PREFIX + keyOf(change.record));
          transaction.put(key, bytesOf(encodeRecord(change.record)));
        }
      }
    });
    await this.#storage.sync();
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
