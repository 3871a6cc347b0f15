import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.js";
import { equalBytes } from "../base/bytes.js";
import type { RangeOptions, Row, Storage, Transaction } from "../ports/storage.js";
import { type Checkpoint, CheckpointFile, META_PAGES_SIZE_BYTES } from "./checkpoint-file.js";
import { assertKey, assertSynchronous } from "./checks.js";
import type { DiskSpace } from "./disk-space.js";
import { type LmdbDatabase, PAGE_SIZE_BYTES } from "./lmdb-environment.js";
import { toStorageError } from "./lmdb-errors.js";
import { readRange, readValue } from "./lmdb-reads.js";

/** A read transaction of LMDB: as long as it lives, no page of its state is written over. */
interface Pin {
  done(): void;
}

/** A row that is written anew takes the pages above it along: most of them are shared by many rows. */
const PAGES_PER_ROW = 2;

/** What {@link LmdbStorage.open} needs. */
export interface LmdbStorageOptions {
  /** The environment in `folder`; it is closed with the store, or if that does not open. */
  readonly database: LmdbDatabase;
  /** The store's folder; it exists and holds a checkpoint, and a data file restored to it if need be. */
  readonly folder: string;
  readonly bootId: string;
  readonly onClose: () => void;
  /** Asked before each commit whether there is room for it. */
  readonly space?: DiskSpace | undefined;
}

/**
 * One LMDB environment with a checkpoint beside it.
 *
 * LMDB runs without syncs, so a power cut may leave on disk any mixture of the pages written since
 * the last sync. Two things make the last synced state outlive that: a read transaction pins it, so
 * none of its pages is written over, and its meta pages lie in the checkpoint file, from which
 * `lmdb.ts` puts them back when the system has been started anew. A sync pins the state of the
 * moment, makes the file durable, then the checkpoint, and only then lets go of the older state.
 */
export class LmdbStorage implements Storage {
  readonly #database: LmdbDatabase;
  readonly #dataFile: FileHandle;
  readonly #checkpointFile: CheckpointFile;
  readonly #folder: string;
  readonly #bootId: string;
  readonly #onClose: () => void;
  readonly #space: DiskSpace | undefined;
  #checkpoint: Checkpoint;
  /** Holds the state of {@link #checkpoint}. */
  #pin: Pin;
  #isOpen = true;
  #isInTransaction = false;
  /** Transactions that wrote, those of them that are durable, and those the running sync covers. */
  #commits = 0;
  #durableCommits = 0;
  #runningCommits = 0;
  #running: Promise<void> | undefined;
  /** The sync that has not begun yet. */
  #next: Promise<void> | undefined;
  /** Set once the disk failed under a sync: what the page cache holds may then never reach it. */
  #failure: unknown;

  private constructor(
    options: LmdbStorageOptions,
    dataFile: FileHandle,
    checkpointFile: CheckpointFile,
    checkpoint: Checkpoint,
  ) {
    this.#folder = options.folder;
    this.#bootId = options.bootId;
    this.#onClose = options.onClose;
    this.#space = options.space;
    this.#database = options.database;
    this.#dataFile = dataFile;
    this.#checkpointFile = checkpointFile;
    this.#checkpoint = checkpoint;
    this.#pin = pinLatest(options.database);
  }

  /** Opens the store and makes its latest state durable, so that there is one to fall back to. */
  static async open(options: LmdbStorageOptions): Promise<LmdbStorage> {
    try {
      return await LmdbStorage.#open(options);
    } catch (error) {
      await options.database.close();
      throw error;
    }
  }

  static async #open(options: LmdbStorageOptions): Promise<LmdbStorage> {
    const dataFile = await open(join(options.folder, "data.mdb"), "r");
    const checkpointFile = await CheckpointFile.open(join(options.folder, "checkpoint"));
    const checkpoint = await checkpointFile.read();
    assert(checkpoint, "the checkpoint was read before");
    const storage = new LmdbStorage(options, dataFile, checkpointFile, checkpoint);
    storage.#commits = 1;
    await storage.sync();
    return storage;
  }

  get file(): string {
    return join(this.#folder, "data.mdb");
  }

  get(key: Uint8Array): Uint8Array | undefined {
    assert(this.#isOpen, "the store is closed");
    assertKey(key);
    return readValue(this.#database, key);
  }

  range(options: RangeOptions): Row[] {
    assert(this.#isOpen, "the store is closed");
    return readRange(this.#database, options);
  }

  transact<T>(work: (transaction: Transaction) => T): T {
    assert(this.#isOpen, "the store is closed");
    assert(!this.#isInTransaction, "a transaction cannot lie in another");
    if (this.#failure !== undefined) throw this.#failure;
    const transaction = new LmdbTransaction(this.#database);
    let result: T | undefined;
    this.#isInTransaction = true;
    try {
      this.#database.transactionSync(() => {
        result = work(transaction);
        assertSynchronous(result);
        if (transaction.hasWritten) this.#space?.require(transaction.sizeBytes);
      });
    } catch (error) {
      throw toStorageError(error, this.#folder);
    } finally {
      transaction.end();
      this.#isInTransaction = false;
    }
    if (transaction.hasWritten) this.#commits++;
    return result as T;
  }

  sync(): Promise<void> {
    assert(this.#isOpen, "the store is closed");
    assert(!this.#isInTransaction, "a transaction cannot sync");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#durableCommits === this.#commits) return Promise.resolve();
    if (this.#running && this.#runningCommits === this.#commits) return this.#running;
    // A sync that began before a commit does not count for it: one more follows, for all who wait.
    this.#next ??= this.#syncNext();
    return this.#next;
  }

  async close(): Promise<void> {
    const synced = this.sync();
    this.#isOpen = false;
    try {
      await synced;
    } finally {
      this.#pin.done();
      await this.#database.close();
      await this.#dataFile.close();
      await this.#checkpointFile.close();
      this.#onClose();
    }
  }

  /** Waits for the running sync and for what else this turn of the event loop writes, then syncs. */
  async #syncNext(): Promise<void> {
    // Whoever asked for the running sync hears of its failure; the next is a new attempt.
    await this.#running?.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    this.#next = undefined;
    if (this.#failure !== undefined) throw this.#failure;
    this.#running = this.#syncNow();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #syncNow(): Promise<void> {
    const commits = this.#commits;
    this.#runningCommits = commits;
    try {
      await this.#advanceCheckpoint();
      this.#durableCommits = commits;
    } catch (error) {
      throw toStorageError(error, this.#folder);
    }
  }

  /** Everything up to the first `await` happens between two transactions: it sees one state. */
  async #advanceCheckpoint(): Promise<void> {
    const metaPages = new Uint8Array(META_PAGES_SIZE_BYTES);
    const sizeBytes = readSync(this.#dataFile.fd, metaPages, 0, metaPages.length, 0);
    assert(sizeBytes === metaPages.length, "an LMDB file begins with two meta pages");
    const { sequence, bootId, metaPages: durableMetaPages } = this.#checkpoint;
    if (bootId === this.#bootId && equalBytes(metaPages, durableMetaPages)) return;

    const checkpoint = { sequence: sequence + 1, bootId: this.#bootId, metaPages };
    const pin = pinLatest(this.#database);
    try {
      await this.#syncDataFile();
      await this.#checkpointFile.write(checkpoint);
    } catch (error) {
      pin.done();
      throw error;
    }
    this.#pin.done();
    this.#pin = pin;
    this.#checkpoint = checkpoint;
  }

  async #syncDataFile(): Promise<void> {
    try {
      await this.#dataFile.datasync();
    } catch (error) {
      this.#failure = toStorageError(error, this.#folder);
      throw error;
    }
  }
}

class LmdbTransaction implements Transaction {
  readonly #database: LmdbDatabase;
  #isActive = true;
  hasWritten = false;
  /** What the writes may take on the disk, at most. */
  sizeBytes = 0;

  constructor(database: LmdbDatabase) {
    this.#database = database;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertActive();
    assertKey(key);
    return readValue(this.#database, key);
  }

  range(options: RangeOptions): Row[] {
    this.#assertActive();
    return readRange(this.#database, options);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#assertActive();
    assertKey(key);
    this.hasWritten = true;
    this.sizeBytes += value.length + PAGES_PER_ROW * PAGE_SIZE_BYTES;
    this.#database.putSync(key, value);
  }

  delete(key: Uint8Array): void {
    this.#assertActive();
    assertKey(key);
    this.hasWritten = true;
    this.sizeBytes += PAGES_PER_ROW * PAGE_SIZE_BYTES;
    this.#database.removeSync(key);
  }

  end(): void {
    this.#isActive = false;
  }

  #assertActive(): void {
    assert(this.#isActive, "the transaction has ended");
  }
}

function pinLatest(database: LmdbDatabase): Pin {
  return database.useReadTransaction();
}
