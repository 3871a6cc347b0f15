import { EnokiError } from "../../core/errors.js";
import type { RangeOptions, Row, Storage, Transaction } from "../../ports/storage.js";
import { Rows } from "./rows.js";
import type { VirtualTime } from "./virtual-time.js";

/** What a disk tells those who watch it. */
export interface DiskEvents {
  /** A transaction has been committed, or has failed. */
  transacted(isCommitted: boolean): void;
}

/** Committed states that a power cut may leave, beyond the synced one. */
const STATES_MAX = 64;

/**
 * The disk of one node: what is committed survives the death of the process, what is synced a power
 * cut, after which the store opens at some committed state since the last sync.
 */
export class Disk {
  readonly #time: VirtualTime;
  /** How long a sync takes now. */
  syncMs = 1;
  isFull = false;
  #rows = new Rows();
  #synced = new Rows();
  /** Committed states since the synced one, oldest first. */
  #states: Rows[] = [];
  #syncsBegun = 0;
  #lastSynced = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** The committed rows. */
  get rows(): Rows {
    return this.#rows;
  }

  /** What certainly survives a power cut. */
  get synced(): Rows {
    return this.#synced;
  }

  /** Goes back to one of the states that a power cut may leave; true if something is lost. */
  cutPower(pick: (count: number) => number): boolean {
    const states = [this.#synced, ...this.#states];
    const kept = states[pick(states.length)] as Rows;
    const isOlder = kept !== states.at(-1);
    this.#rows = kept.copy();
    this.#synced = kept.copy();
    this.#states = [];
    return isOlder;
  }

  /** Loses everything. */
  wipe(): void {
    this.#rows = new Rows();
    this.#synced = new Rows();
    this.#states = [];
  }

  /** Opens the store for one process; `isAlive` says whether that still runs. */
  open(isAlive: () => boolean, events: DiskEvents): Storage {
    return {
      get: (key) => this.#rows.get(key),
      range: (options) => this.#rows.range(options),
      transact: (work) => this.#transact(work, events),
      sync: () => this.#sync(isAlive),
      close: () => this.#sync(isAlive),
    };
  }

  #transact<T>(work: (transaction: Transaction) => T, events: DiskEvents): T {
    const before = this.#rows.copy();
    const rows = this.#rows;
    let puts = 0;
    const transaction: Transaction = {
      get: (key: Uint8Array): Uint8Array | undefined => rows.get(key),
      range: (options: RangeOptions): Row[] => rows.range(options),
      put: (key, value) => {
        puts += 1;
        rows.put(key, value);
      },
      delete: (key) => rows.delete(key),
    };
    try {
      const result = work(transaction);
      if (this.isFull && puts > 0) throw new EnokiError("ENOKI_DISK_FULL");
      this.#states.push(rows.copy());
      if (this.#states.length > STATES_MAX) this.#states.splice(1, 1);
      events.transacted(true);
      return result;
    } catch (error) {
      this.#rows = before;
      events.transacted(false);
      throw error;
    }
  }

  #sync(isAlive: () => boolean): Promise<void> {
    const state = this.#rows.copy();
    const last = this.#states.at(-1);
    const number = ++this.#syncsBegun;
    return new Promise((resolve) => {
      this.#time.after(this.syncMs, () => {
        if (!isAlive()) return;
        if (number > this.#lastSynced) {
          this.#lastSynced = number;
          this.#synced = state;
          const at = last ? this.#states.indexOf(last) : -1;
          this.#states.splice(0, at + 1);
        }
        resolve();
        this.#time.settled();
      });
    });
  }
}
