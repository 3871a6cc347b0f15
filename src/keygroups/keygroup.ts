// Why so long: what clients and what replication ask of a keygroup meets in one commit.

import type { KeygroupName } from "../core/ids.js";
import { hasGarbage } from "../core/collect.js";
import { EnokiError } from "../core/errors.js";
import { Replica } from "../core/replica.js";
import type { Founding, OpenOptions } from "../core/opening.js";
import type { RowWrite } from "../core/rows.js";
import type { Mutation, Update } from "../core/update.js";
import type { TypedValue } from "../core/value.js";
import type { Clock } from "../ports/clock.js";
import type { Storage, Transaction } from "../ports/storage.js";
import type { SendOrigin } from "./asker.js";
import { Freshness } from "./freshness.js";
import { GroupCommit } from "./group-commit.js";
import { importItems } from "./import-items.js";
import { ItemReads } from "./item-reads.js";
import type { KeygroupOptions } from "./keygroup-options.js";
import { putRows, sealReplica } from "./keygroup-store.js";
import { NotingTransaction } from "./noting-transaction.js";
import type { ReplicaChange, ReplicaHost, ReplicationHook } from "./replica-host.js";
import { repeat } from "./repeat.js";
import { SyncWaiters } from "./sync-waiters.js";
import type {
  Entry,
  Explanation,
  ExportedItem,
  KeygroupConfig,
  KeygroupDescription,
  KeygroupFacade,
  ScanPage,
  ScanRequest,
  WatchEvent,
  WriteOutcome,
  WriteRequest,
} from "./types.js";
import { SessionGate } from "./session-gate.js";
import { Watchers } from "./watchers.js";
import { applyWrite, type AppliedWrite } from "./write.js";

/** How often tombstones and expired versions are looked for. */
const COLLECT_INTERVAL_MS = 2000;
const COLLECT_ROWS_MAX = 512;
const SWEEP_ROWS_MAX = 512;

/**
 * One keygroup on this node: its replica, its store and the commit of its writes.
 *
 * Reads are synchronous and show the last commit. Writes of one turn share a transaction and are
 * decided in the order of their arrival, so all instances of the node see one order (linearizable).
 */
export class Keygroup implements KeygroupFacade, ReplicaHost {
  readonly name: KeygroupName;
  /** All reads, also those with keys that are encoded already. */
  readonly reads: ItemReads;
  readonly #options: KeygroupOptions;
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #commits: GroupCommit;
  readonly #watchers = new Watchers();
  readonly #openReplica: NonNullable<KeygroupOptions["openReplica"]>;
  readonly #stopCollecting: () => void;
  readonly #waiters = new SyncWaiters();
  /** Where sessions wait for what they have seen elsewhere. */
  readonly sessions: SessionGate;
  readonly freshness: Freshness;
  #isLeaving = false;
  /** Of replica objects that were thrown away. */
  #earlierConflicts = 0;
  #hook: ReplicationHook | undefined;
  #config: KeygroupConfig;
  #replica: Replica;

  private constructor(options: KeygroupOptions, replica: Replica) {
    this.name = options.name;
    this.#options = options;
    this.#config = options.config;
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#replica = replica;
    this.#openReplica = openerOf(options);
    this.sessions = new SessionGate({
      keygroup: options.name,
      replica: () => this.#replica,
      timers: options.timers,
      whenShareable: (then) => this.whenShareable(then),
    });
    this.freshness = new Freshness({
      keygroup: options.name,
      boundMs: () => this.#hook?.stalenessMs() ?? 0,
      clock: options.clock,
      timers: options.timers,
    });
    this.reads = new ItemReads(
      options.storage,
      () => this.#config.policy,
      () => this.#nowMs(),
    );
    this.#commits = new GroupCommit({
      storage: options.storage,
      turn: options.turn,
      timers: options.timers,
      logger: options.logger,
      durability: () => this.#config.durability,
      syncIntervalMs: options.syncIntervalMs,
      seal: (transaction) => sealReplica(transaction, this.#replica),
      rolledBack: () => this.#reopenReplica(),
      syncBegins: () => {
        const replica = this.#replica;
        const vector = replica.vector.clone();
        return () => {
          replica.durable(vector);
          this.#waiters.synced(this.#replica);
        };
      },
    });
    const { timers, collectIntervalMs = COLLECT_INTERVAL_MS } = options;
    this.#stopCollecting = repeat(timers, collectIntervalMs, () => this.#collect());
  }

  /** Opens the replica in its store; what must be durable before the first write is so then. */
  static async open(options: KeygroupOptions): Promise<Keygroup> {
    const wallMs = options.clock.nowMs();
    const { replica, writes } = openerOf(options)(options.storage, {
      wallMs,
      policy: options.config.policy,
      resumes: options.resumes,
      ...(options.founding && { founding: options.founding }),
    });
    if (writes.length > 0) {
      options.storage.transact((transaction) => putRows(transaction, writes));
    }
    await options.storage.sync();
    replica.durable(replica.vector.clone());
    return new Keygroup(options, replica);
  }

  get isServing(): boolean {
    return this.#replica.identity.isServing;
  }

  get config(): KeygroupConfig {
    return this.#config;
  }

  /** Transactions and syncs so far, for tests that count work. */
  get work(): { readonly commitsTotal: number; readonly syncsTotal: number } {
    const { commitsTotal, syncsTotal } = this.#commits;
    return { commitsTotal, syncsTotal };
  }

  /** Conflicts resolved here since the node's start: see `docs/reference/metrics.md`. Only rises. */
  get conflictsTotal(): number {
    return this.#earlierConflicts + this.#replica.conflictsTotal;
  }

  /** It refuses writes, because it is about to leave. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Takes a new configuration; writes that wait are committed under it. */
  configure(config: KeygroupConfig): void {
    const isSamePolicy = config.policy === this.#config.policy;
    this.#config = config;
    if (!isSamePolicy) this.#reopenReplica();
  }

  /** Resolves once everything committed so far is on the disk. */
  async sync(): Promise<void> {
    await this.#commits.sync();
  }

  async describe(): Promise<KeygroupDescription> {
    const { keys, sizeBytes } = await this.reads.count();
    return {
      name: this.name,
      config: this.#config,
      storage: this.#options.storageKind,
      keys,
      sizeBytes,
      members: this.#options.members?.() ?? [this.#options.nodeName],
    };
  }

  get(key: string): TypedValue | undefined {
    return this.reads.get(key);
  }

  entry(key: string): Entry | undefined {
    return this.reads.entry(key);
  }

  siblings(key: string): readonly TypedValue[] {
    return this.reads.siblings(key);
  }

  scan(request: ScanRequest): ScanPage {
    return this.reads.scan(request);
  }

  explain(key: string): Explanation {
    return this.reads.explain(key);
  }

  exportItems(): Iterable<ExportedItem> {
    return this.reads.exportItems();
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    return new Promise((resolve, reject) => this.submit(request, resolve, reject));
  }

  /** {@link write} with callbacks: the hot path. */
  submit(
    request: WriteRequest,
    acknowledged: (outcome: WriteOutcome) => void,
    failed: (error: unknown) => void,
  ): void {
    if (this.#isLeaving || !this.#replica.identity.isServing) {
      failed(this.#unwritable());
      return;
    }
    let applied: AppliedWrite | undefined;
    let noting: NotingTransaction | undefined;
    this.#commits.add<WriteOutcome>({
      apply: (transaction) => {
        const context = {
          replica: this.#replica,
          reader: transaction,
          wallMs: this.#clock.nowMs(),
          defaultTtlMs: this.#config.ttlMs,
        };
        const reactions = this.#options.reactionsOf?.(this.name);
        applied = applyWrite(
          context,
          request,
          (sends) => this.#options.encodeSends(this.name, sends, request.origin),
          reactions && ((key) => reactions.keepsDepth(key)),
        );
        noting = this.#noting(transaction, { origin: request.origin });
        putRows(noting ?? transaction, applied.writes);
        noting?.end();
        return applied.outcome;
      },
      acknowledged: (outcome) => {
        acknowledged(outcome);
        applied?.committed();
        noting?.committed();
        if (applied?.update) this.#hook?.committed(applied.update);
        if (applied && applied.touched.length > 0) this.#notify(applied.touched);
      },
      failed,
    });
  }

  /**
   * Commits rows of the node's own (the outbox) with this turn's writes; resolves with what `work`
   * gives once they are as durable as the keygroup promises.
   */
  async commitLocal<T>(
    work: (transaction: Transaction) => { readonly writes: readonly RowWrite[]; readonly value: T },
  ): Promise<T> {
    return new Promise((resolve, reject) => this.submitLocal(work, resolve, reject));
  }

  /** {@link commitLocal} with callbacks: what they write leaves in the same turn. */
  submitLocal<T>(
    work: (transaction: Transaction) => { readonly writes: readonly RowWrite[]; readonly value: T },
    acknowledged: (value: T) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#commits.add<T>({
      apply: (transaction) => {
        const { writes, value } = work(transaction);
        putRows(transaction, writes);
        return value;
      },
      acknowledged,
      failed,
    });
  }

  /**
   * Commits items of the platform, which the other members get as they get all others; nothing is done
   * where `decide` wants nothing. Resolves once that is acknowledged.
   */
  async commitItems(
    decide: (transaction: Transaction) => readonly Omit<Mutation, "replaces">[],
  ): Promise<void> {
    if (this.#isLeaving || !this.#replica.identity.isServing) return;
    let update: Update | undefined;
    await this.commitLocal((transaction) => {
      const mutations = decide(transaction).map((one) => ({ ...one, replaces: "all" as const }));
      update = undefined;
      if (mutations.length === 0) return { writes: [], value: undefined };
      const stamp = { wallMs: this.#clock.nowMs() };
      const effects = this.#replica.commit(transaction, mutations, stamp);
      ({ update } = effects);
      return { writes: effects.writes, value: undefined };
    });
    if (update) this.#hook?.committed(update);
  }

  get replica(): Replica {
    return this.#replica;
  }

  attach(hook: ReplicationHook): void {
    this.#hook = hook;
    this.heard();
  }

  heard(): void {
    this.sessions.changed();
    this.freshness.changed();
  }

  /**
   * Makes the replica another one in the same store, which is not serving or whose store is empty.
   * Rows of the node's own stay; those of the old replica are for {@link sweep}. Nobody replicates
   * it any more, and it takes no writes meanwhile.
   */
  async become(founding: Founding): Promise<void> {
    this.#hook = undefined;
    // What was taken before is decided before: nothing of the old replica is left behind this.
    await this.stopWriting();
    await this.commitLocal((transaction) => {
      putRows(transaction, Replica.rejoin(transaction, founding));
      this.#earlierConflicts = this.conflictsTotal;
      this.#replica = this.#openReplica(transaction, this.#reopening).replica;
      return { writes: [], value: undefined };
    });
    await this.sync();
    this.#isLeaving = false;
  }

  /** Drops all rows of an earlier replica, bit by bit. */
  async sweep(): Promise<void> {
    let dropped;
    do {
      dropped = await this.commitLocal((transaction) => {
        const writes = this.#replica.sweep(transaction, SWEEP_ROWS_MAX);
        return { writes, value: writes.length };
      });
    } while (dropped > 0);
  }

  change<T>(change: ReplicaChange<T>): void {
    let touched: readonly Uint8Array[] = [];
    let noting: NotingTransaction | undefined;
    this.#commits.add<T>({
      isLazy: true,
      apply: (transaction) => {
        noting = this.#noting(transaction, undefined);
        const effects = change.work(this.#replica, noting ?? transaction);
        ({ touched } = effects);
        putRows(noting ?? transaction, effects.writes);
        noting?.end();
        return effects.value;
      },
      acknowledged: (value) => {
        change.done(value);
        noting?.committed();
        this.heard();
        if (touched.length > 0) this.#notify(touched);
      },
      failed: change.failed,
    });
  }

  whenShareable(then: () => void): void {
    if (this.#config.durability === "relaxed") then();
    else this.#waiters.add(this.#replica, then);
  }

  /** Takes no writes from now on; resolves once all that were taken are committed. */
  async stopWriting(): Promise<void> {
    this.#isLeaving = true;
    await this.commitLocal(() => ({ writes: [], value: undefined }));
  }

  setLeaving(isLeaving: boolean): void {
    this.#isLeaving = isLeaving;
  }

  /** The store's file, for instances that read it directly. */
  get storeFile(): string | undefined {
    return this.#storage.file;
  }

  /** The store, for readers of local rows. */
  get rows(): Pick<Storage, "get" | "range"> {
    return this.#storage;
  }

  watch(
    range: { readonly start?: string; readonly prefix?: string },
    onEvent: (event: WatchEvent) => void,
  ): () => void {
    return this.#watchers.add(range, onEvent);
  }

  async importItems(items: Iterable<ExportedItem>): Promise<number> {
    return importItems(
      items,
      (request) => this.write(request),
      () => this.#clock.nowMs(),
    );
  }

  /** Commits what waits, syncs and closes the store. */
  async close(): Promise<void> {
    this.#stopCollecting();
    this.reads.close();
    await this.#commits.close();
    await this.#storage.close();
  }

  /** The time by which expiry is judged. */
  #nowMs(): number {
    return this.#replica.nowMs(this.#clock.nowMs());
  }

  #notify(keys: readonly Uint8Array[]): void {
    if (this.#watchers.isEmpty) return;
    for (const key of keys) {
      const entry = this.reads.entryBytes(Buffer.from(key));
      this.#watchers.notify(Buffer.from(key).toString("utf8"), entry);
    }
  }

  /** The transaction of a step as somebody wants it who follows changes; `undefined` = nobody does. */
  #noting(
    transaction: Transaction,
    own: { readonly origin: SendOrigin | undefined } | undefined,
  ): NotingTransaction | undefined {
    const reactions = this.#options.reactionsOf?.(this.name);
    // What a replica gets while it joins shows nothing yet.
    if (!reactions || !this.#replica.identity.isServing) return undefined;
    const { logger } = this.#options;
    const nowMs = this.#nowMs();
    return new NotingTransaction({
      transaction,
      reactions,
      replica: this.#replica,
      nowMs,
      own,
      logger,
    });
  }

  #unwritable(): EnokiError {
    return this.#isLeaving
      ? new EnokiError("ENOKI_DRAINING", `keygroup "${this.name}" is leaving this node`)
      : new EnokiError("ENOKI_STALE", `the replica of "${this.name}" here is still being filled`);
  }

  /** How a replica that is thrown away goes on. */
  get #reopening(): OpenOptions {
    const { policy } = this.#config;
    return { wallMs: this.#clock.nowMs(), policy, resumes: true, hlc: this.#replica.hlc };
  }

  #reopenReplica(): void {
    this.#earlierConflicts = this.conflictsTotal;
    this.#replica = this.#openReplica(this.#storage, this.#reopening).replica;
    // The new object knows of nothing that is synced, and without that nobody can collect.
    this.#commits.syncSoon();
    this.#hook?.reopened();
  }

  /** Removes tombstones and expired versions that are certainly no longer needed. */
  #collect(): void {
    const { vector, record } = this.#replica;
    const hasDeadOrigins = vector.size > record.members.length;
    if (!hasDeadOrigins && !hasGarbage(this.#storage, this.#nowMs())) return;
    const wallMs = this.#clock.nowMs();
    this.commitLocal((transaction) => {
      const writes = this.#replica.collect(transaction, { limit: COLLECT_ROWS_MAX, wallMs });
      return { writes: [...writes, ...this.#replica.retire()], value: undefined };
    }).catch((error: unknown) =>
      this.#options.logger.warn({ error: String(error) }, "a collection failed"),
    );
  }
}

function openerOf(options: KeygroupOptions): NonNullable<KeygroupOptions["openReplica"]> {
  return options.openReplica ?? ((reader, open) => Replica.open(reader, open));
}
