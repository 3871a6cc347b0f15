import { assert } from "../base/assert.js";
import {
  type Naming,
  type NamingChange,
  type NamingCheck,
  type NamingEntry,
  type NamingEvents,
  namingOutcomeUnknown,
  namingUnavailable,
  type NamingWrite,
} from "../ports/naming.js";
import type { Timers } from "../ports/timers.js";
import { assertTransaction } from "./checks.js";
import { MemoryWatch } from "./memory-watch.js";

/** How a {@link MemoryNamingService} behaves in time. */
export interface MemoryNamingOptions {
  readonly timers: Timers;
  /** Asked for every request, reply and notice: how long it is under way. None = as good as none. */
  readonly latencyMs?: () => number;
  /** A node that is cut off for so long loses its leased records. */
  readonly leaseMs?: number;
}

interface StoredRecord {
  readonly value: string;
  readonly revision: number;
  /** Whose lease the record vanishes with. */
  readonly holder: MemoryNaming | undefined;
}

const LEASE_MS = 10_000;
/** Transactions that a watch can resume from. */
const HISTORY_MAX = 1000;

/**
 * A naming service in this process: for one node, for several nodes of one process, for tests and the
 * simulator, which take it away, cut nodes off and let leases run out.
 */
export class MemoryNamingService {
  readonly #options: MemoryNamingOptions;
  readonly #records = new Map<string, StoredRecord>();
  readonly #namings = new Set<MemoryNaming>();
  #history: (readonly NamingChange[])[] = [];
  /** Revision of the transaction before the first one of the history. */
  #historyFrom = 0;
  #revision = 0;
  #isReachable = true;

  constructor(options: MemoryNamingOptions) {
    this.#options = options;
  }

  /** What one node, one process, holds of the service. */
  connect(): MemoryNaming {
    const naming = new MemoryNaming(this, this.#options);
    this.#namings.add(naming);
    return naming;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** Stops the service, or starts it again with everything that it had. Leases wait meanwhile. */
  setReachable(isReachable: boolean): void {
    this.#isReachable = isReachable;
    for (const naming of this.#namings) naming.reachabilityChanged();
  }

  /** Forgets what watches resume from: who missed something is told everything anew. */
  forgetHistory(): void {
    this.#history = [];
    this.#historyFrom = this.#revision;
  }

  /** All records below a prefix, in order of their keys. */
  entries(prefix: string): NamingEntry[] {
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, { value, revision }]) => ({ key, value, revision }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  get revision(): number {
    return this.#revision;
  }

  /** The transactions after a revision; `undefined` if some of them are forgotten. */
  changesAfter(revision: number): readonly (readonly NamingChange[])[] | undefined {
    if (revision < this.#historyFrom) return undefined;
    return this.#history.slice(revision - this.#historyFrom);
  }

  /** One transaction, decided at once. For {@link MemoryNaming}. */
  apply(
    checks: readonly NamingCheck[],
    writes: readonly NamingWrite[],
    holder: MemoryNaming,
  ): boolean {
    for (const { key, revision } of checks) {
      if ((this.#records.get(key)?.revision ?? 0) !== revision) return false;
    }
    this.#write(writes, holder);
    return true;
  }

  /** Removes the records that hang on a lease. For {@link MemoryNaming}. */
  expire(holder: MemoryNaming): void {
    const held = [...this.#records].filter(([, record]) => record.holder === holder);
    this.#write(
      held.map(([key]) => ({ key, value: undefined })),
      holder,
    );
  }

  /** Forgets a node that will not come back. For {@link MemoryNaming}. */
  leave(naming: MemoryNaming): void {
    this.#namings.delete(naming);
  }

  #write(writes: readonly NamingWrite[], holder: MemoryNaming): void {
    const revision = this.#revision + 1;
    const changes: NamingChange[] = [];
    for (const { key, value, isLeased } of writes) {
      if (value === undefined && !this.#records.delete(key)) continue;
      if (value !== undefined) {
        this.#records.set(key, { value, revision, holder: isLeased ? holder : undefined });
      }
      changes.push({ key, value, revision });
    }
    if (changes.length === 0) return;
    this.#revision = revision;
    this.#history.push(changes);
    if (this.#history.length > HISTORY_MAX) {
      this.#history.shift();
      this.#historyFrom += 1;
    }
    for (const naming of this.#namings) naming.changed();
  }
}

/** One node's connection to a {@link MemoryNamingService}. */
export class MemoryNaming implements Naming {
  readonly #service: MemoryNamingService;
  readonly #options: MemoryNamingOptions;
  readonly #watches = new Set<MemoryWatch>();
  /** What this node holds under its lease, to be written again should the lease run out. */
  readonly #leased = new Map<string, string>();
  #isConnected = true;
  #isClosed = false;
  #hasLease = true;
  #stopLease: (() => void) | undefined;

  constructor(service: MemoryNamingService, options: MemoryNamingOptions) {
    this.#service = service;
    this.#options = options;
  }

  get #isReachable(): boolean {
    return this.#isConnected && this.#service.isReachable;
  }

  async read(prefix: string): Promise<readonly NamingEntry[]> {
    assert(!this.#isClosed, "the naming service is closed");
    this.#requireReachable();
    await this.#travel();
    this.#requireReachable();
    const entries = this.#service.entries(prefix);
    await this.#travel();
    this.#requireReachable();
    return entries;
  }

  async transact(checks: readonly NamingCheck[], writes: readonly NamingWrite[]): Promise<boolean> {
    assert(!this.#isClosed, "the naming service is closed");
    assertTransaction(checks, writes);
    this.#requireReachable();
    await this.#travel();
    this.#requireReachable();
    const isDone = this.#service.apply(checks, writes, this);
    if (isDone) this.#remember(writes);
    await this.#travel();
    if (!this.#isReachable) {
      throw namingOutcomeUnknown("the naming service went away during a transaction");
    }
    return isDone;
  }

  watch(prefix: string, events: NamingEvents): () => void {
    assert(!this.#isClosed, "the naming service is closed");
    const watch = new MemoryWatch(this.#service, prefix, events, {
      isReachable: () => this.#isReachable,
      later: (work) => this.#options.timers.after(this.#options.latencyMs?.() ?? 0, work),
    });
    this.#watches.add(watch);
    return () => {
      watch.stop();
      this.#watches.delete(watch);
    };
  }

  async close(): Promise<void> {
    this.abandon();
    if (this.#isReachable) {
      this.#stopLease?.();
      this.#service.expire(this);
      this.#service.leave(this);
    }
    await this.#travel();
  }

  /** Cuts this node off from the service, or ends the cut. */
  setConnected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.reachabilityChanged();
  }

  /** The process of the node has died: it hears nothing more, and its lease runs out. */
  abandon(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.reachabilityChanged();
  }

  /** For the service: something was written. */
  changed(): void {
    for (const watch of this.#watches) watch.wake();
  }

  /** For the service: it was stopped or started. */
  reachabilityChanged(): void {
    const isAlive = this.#isConnected && !this.#isClosed;
    if (isAlive || !this.#service.isReachable) this.#stopLease = void this.#stopLease?.();
    else this.#stopLease ??= this.#startLease();
    if (isAlive && this.#service.isReachable && !this.#hasLease) this.#renewLease();
    for (const watch of this.#watches) watch.wake();
  }

  #startLease(): () => void {
    return this.#options.timers.after(this.#options.leaseMs ?? LEASE_MS, () => {
      this.#hasLease = false;
      this.#service.expire(this);
      if (this.#isClosed) this.#service.leave(this);
    });
  }

  #renewLease(): void {
    this.#hasLease = true;
    for (const [key, value] of this.#leased) {
      const isFree = this.#service.apply(
        [{ key, revision: 0 }],
        [{ key, value, isLeased: true }],
        this,
      );
      if (!isFree) this.#leased.delete(key);
    }
  }

  #remember(writes: readonly NamingWrite[]): void {
    for (const { key, value, isLeased } of writes) {
      if (isLeased && value !== undefined) this.#leased.set(key, value);
      else this.#leased.delete(key);
    }
  }

  #requireReachable(): void {
    if (!this.#isReachable) throw namingUnavailable("the naming service cannot be reached");
  }

  async #travel(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#options.timers.after(this.#options.latencyMs?.() ?? 0, resolve);
    });
  }
}
