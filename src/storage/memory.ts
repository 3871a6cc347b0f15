import { assert } from "../base/assert.js";
import type { RangeOptions, Row, Storage, StorageDriver, Transaction } from "../ports/storage.js";
import { assertKey, assertStoreName, assertSynchronous } from "./checks.js";
import { RowTable } from "./row-table.js";

/**
 * Makes a driver that keeps everything in memory: for tests, and for nodes that may forget.
 * The data of a name outlives `close` and ends with the driver.
 */
export function createMemoryDriver(): StorageDriver {
  const tables = new Map<string, RowTable>();
  const opened = new Set<string>();
  return {
    isDurable: false,
    open(name) {
      assertStoreName(name);
      assert(!opened.has(name), `store ${name} is open already`);
      opened.add(name);
      const table = tables.get(name) ?? new RowTable();
      tables.set(name, table);
      return Promise.resolve(new MemoryStorage(table, () => opened.delete(name)));
    },
    list() {
      return Promise.resolve([...tables.keys()].sort());
    },
    drop(name) {
      assertStoreName(name);
      assert(!opened.has(name), `store ${name} is open`);
      tables.delete(name);
      return Promise.resolve();
    },
  };
}

class MemoryStorage implements Storage {
  readonly #table: RowTable;
  readonly #onClose: () => void;
  #isOpen = true;
  #isInTransaction = false;

  constructor(table: RowTable, onClose: () => void) {
    this.#table = table;
    this.#onClose = onClose;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    assert(this.#isOpen, "the store is closed");
    return getCopy(this.#table, key);
  }

  range(options: RangeOptions): Row[] {
    assert(this.#isOpen, "the store is closed");
    return rangeCopy(this.#table, options);
  }

  transact<T>(work: (transaction: Transaction) => T): T {
    assert(this.#isOpen, "the store is closed");
    assert(!this.#isInTransaction, "a transaction cannot lie in another");
    const transaction = new MemoryTransaction(this.#table);
    this.#isInTransaction = true;
    try {
      const result = work(transaction);
      assertSynchronous(result);
      return result;
    } catch (error) {
      transaction.undo();
      throw error;
    } finally {
      transaction.end();
      this.#isInTransaction = false;
    }
  }

  sync(): Promise<void> {
    assert(this.#isOpen, "the store is closed");
    return Promise.resolve();
  }

  close(): Promise<void> {
    assert(this.#isOpen, "the store is closed");
    this.#isOpen = false;
    this.#onClose();
    return Promise.resolve();
  }
}

/** Writes straight to the table and remembers what was there, to undo it if the work throws. */
class MemoryTransaction implements Transaction {
  readonly #table: RowTable;
  readonly #before: { key: Uint8Array; value: Uint8Array | undefined }[] = [];
  #isActive = true;

  constructor(table: RowTable) {
    this.#table = table;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertActive();
    return getCopy(this.#table, key);
  }

  range(options: RangeOptions): Row[] {
    this.#assertActive();
    return rangeCopy(this.#table, options);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#assertActive();
    assertKey(key);
    const stored = copyOf(key);
    this.#before.push({ key: stored, value: this.#table.replace(stored, copyOf(value)) });
  }

  delete(key: Uint8Array): void {
    this.#assertActive();
    assertKey(key);
    const value = this.#table.remove(key);
    if (value) this.#before.push({ key: copyOf(key), value });
  }

  undo(): void {
    for (const { key, value } of this.#before.toReversed()) {
      if (value) this.#table.replace(key, value);
      else this.#table.remove(key);
    }
  }

  end(): void {
    this.#isActive = false;
  }

  #assertActive(): void {
    assert(this.#isActive, "the transaction has ended");
  }
}

function getCopy(table: RowTable, key: Uint8Array): Uint8Array | undefined {
  assertKey(key);
  const value = table.get(key);
  return value && copyOf(value);
}

function rangeCopy(table: RowTable, options: RangeOptions): Row[] {
  return table.range(options).map(({ key, value }) => ({ key: copyOf(key), value: copyOf(value) }));
}

/** A copy that shares nothing with `bytes`, which `Buffer.slice` would. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
