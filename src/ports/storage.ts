/** Bounds of a range read: `start` inclusive, `end` exclusive, both optional. */
export interface RangeOptions {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  /** From the last key to the first; `start` and `end` keep their meaning. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** One stored row. The bytes are the caller's to keep. */
export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Reads of one consistent state. Keys are ordered as unsigned bytes, 1 to 1,500 bytes long. */
export interface Reader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Rows in key order. All rows of one call belong to one snapshot. */
  range(options: RangeOptions): Row[];
}

/** Reads and writes of one transaction: reads see the writes made before them in it. */
export interface Transaction extends Reader {
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
}

/**
 * An ordered store of bytes: one per keygroup, and one for the node itself.
 *
 * Everything but `sync` and `close` is synchronous, because a keygroup decides and writes within one
 * turn of the event loop. After `transact` returns, its writes survive the death of the process;
 * after a `sync` that began later has resolved, they survive a power cut. After a power cut the
 * store opens at one committed state, at least as new as the last completed `sync`.
 */
export interface Storage extends Reader {
  /**
   * Runs `work` as one atomic transaction and returns what it returns.
   * @throws whatever `work` throws, with nothing written
   * @throws EnokiError `ENOKI_DISK_FULL` with nothing written; reads go on
   */
  transact<T>(work: (transaction: Transaction) => T): T;
  /** Resolves once everything that `transact` committed before the call is on stable storage. */
  sync(): Promise<void>;
  /** The file that shows every commit to whoever reads it; `undefined` where there is none. */
  readonly file?: string;
  /** Syncs and releases the store. No call may follow. */
  close(): Promise<void>;
}

/** Opens, lists and drops the stores of one node. A store is named by a short safe file name. */
export interface StorageDriver {
  /** Opens the store, creating it if there is none. Opening an open store is a bug. */
  open(name: string): Promise<Storage>;
  /** Names of all stores that exist. */
  list(): Promise<string[]>;
  /** Deletes a closed store and everything in it. */
  drop(name: string): Promise<void>;
  /** False if nothing survives the process (memory): such a store cannot be `strict`. */
  readonly isDurable: boolean;
}
