import { assert } from "../base/assert.js";
import { compareBytes } from "../base/bytes.js";
import type { RangeOptions, Row, Storage, StorageDriver, Transaction } from "../ports/storage.js";
import { assertKey, assertStoreName, assertSynchronous } from "./checks.js";

/**
 * Makes a driver that keeps everything in memory: for tests, and for nodes that may forget.
 * The data of a name outlives `close` and ends with the driver.
 */
export function createMemoryDriver(): StorageDriver {
  const tables = new Map<string, Table>();
  const opened = new Set<string>();
  return {
    isDurable: false,
    open(name) {
      assertStoreName(name);
      assert(!opened.has(name), `store ${name} is open already`);
      opened.add(name);
      const table = tables.get(name) ?? new Table();
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
  readonly #table: Table;
  readonly #onClose: () => void;
  #isOpen = true;
  #isInTransaction = false;

  constructor(table: Table, onClose: () => void) {
    this.#table = table;
    this.#onClose = onClose;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    assert(this.#isOpen, "the store is closed");
    return this.#table.get(key);
  }

  range(options: RangeOptions): Row[] {
    assert(this.#isOpen, "the store is closed");
    return this.#table.range(options);
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
  readonly #table: Table;
  readonly #before: { key: Uint8Array; value: Uint8Array | undefined }[] = [];
  #isActive = true;

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertActive();
    return this.#table.get(key);
  }

  range(options: RangeOptions): Row[] {
    this.#assertActive();
    return this.#table.range(options);
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

/** Rows in one sorted array: a search is logarithmic, an insert moves what lies behind it. */
class Table {
  readonly #rows: Row[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    assertKey(key);
    const row = this.#rows[this.#lowerBound(key)];
    return row && compareBytes(row.key, key) === 0 ? copyOf(row.value) : undefined;
  }

  range({ start, end, reverse = false, limit = Infinity }: RangeOptions): Row[] {
    const from = start ? this.#lowerBound(start) : 0;
    const to = end ? Math.max(from, this.#lowerBound(end)) : this.#rows.length;
    const rows = reverse
      ? this.#rows.slice(Math.max(from, to - limit), to).toReversed()
      : this.#rows.slice(from, Math.min(to, from + limit));
    return rows.map(({ key, value }) => ({ key: copyOf(key), value: copyOf(value) }));
  }

  /** Stores the very bytes given and returns the value that was there before. */
  replace(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    const index = this.#lowerBound(key);
    const row = this.#rows[index];
    if (row && compareBytes(row.key, key) === 0) {
      this.#rows[index] = { key, value };
      return row.value;
    }
    this.#rows.splice(index, 0, { key, value });
    return undefined;
  }

  /** Removes the row and returns the value it had. */
  remove(key: Uint8Array): Uint8Array | undefined {
    const index = this.#lowerBound(key);
    const row = this.#rows[index];
    if (!row || compareBytes(row.key, key) !== 0) return undefined;
    this.#rows.splice(index, 1);
    return row.value;
  }

  /** Index of the first row whose key is not below `key`. */
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

/** A copy that shares nothing with `bytes`, which `Buffer.slice` would. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
