import { EnokiError } from "../core/errors.js";
import type { Logger } from "../ports/logger.js";
import type { Storage, Transaction } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";
import type { Durability } from "./types.js";

/** A change waiting for the commit of its turn. */
export interface PendingCommit<T> {
  /** Decides and writes inside the transaction. An `EnokiError` means: nothing was written for it. */
  apply(transaction: Transaction): T;
  /** Called once the change is as durable as the keygroup promises; a lazy one once committed. */
  acknowledged(outcome: T): void;
  /** Called instead when it was refused or the transaction failed. */
  failed(error: unknown): void;
  /** True for what nobody was promised anything for, such as updates of other replicas. */
  readonly isLazy?: boolean;
}

/** What a {@link GroupCommit} needs of its keygroup. */
export interface GroupCommitOptions {
  readonly storage: Storage;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Asked at each commit, since a keygroup's durability may change. */
  readonly durability: () => Durability;
  /** Longest time a relaxed commit waits for its sync. */
  readonly syncIntervalMs: number;
  /** Writes what belongs to the transaction as a whole, after all changes in it. */
  readonly seal: (transaction: Transaction) => void;
  /** The transaction was rolled back: forget what `apply` and `seal` changed in memory. */
  readonly rolledBack: () => void;
  /** Called as a sync begins; what it returns is called once that sync has ended well. */
  readonly syncBegins: () => () => void;
}

/** Most changes in one transaction, so that a flood of writes cannot hold the event loop. */
const CHANGES_PER_COMMIT_MAX = 4096;

/**
 * Commits all changes that one turn of the event loop brought in one transaction, and acknowledges
 * them: at once when the keygroup is `relaxed`, after a shared sync when it is `strict`.
 *
 * The one rule: stored before acknowledged, stored before sent (design §3).
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: PendingCommit<unknown>[] = [];
  #isScheduled = false;
  #isClosed = false;
  #cancelSync: (() => void) | undefined;
  #inFlight = 0;
  #idle: (() => void)[] = [];

  /** Transactions so far. */
  commitsTotal = 0;
  /** Syncs asked of the store so far. */
  syncsTotal = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Adds a change to this turn's commit; after {@link close} it is refused. */
  add<T>(change: PendingCommit<T>): void {
    if (this.#isClosed) {
      change.failed(new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", "the keygroup is closed"));
      return;
    }
    this.#waiting.push(change as PendingCommit<unknown>);
    this.#inFlight += 1;
    this.#schedule();
  }

  /** Takes no more changes, commits what waits and syncs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    await this.sync();
  }

  /** Resolves once everything committed so far is on the disk. */
  async sync(): Promise<void> {
    this.syncsTotal += 1;
    const synced = this.#options.syncBegins();
    await this.#options.storage.sync();
    synced();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.turn.commit(() => this.#commit());
  }

  #commit(): void {
    this.#isScheduled = false;
    const changes = this.#waiting.splice(0, CHANGES_PER_COMMIT_MAX);
    if (this.#waiting.length > 0) this.#options.timers.after(0, () => this.#schedule());
    const outcomes = this.#transact(changes);
    if (outcomes === undefined) return;
    const isRelaxed = this.#options.durability() === "relaxed";
    const waits = isRelaxed ? [] : changes.filter(({ isLazy }) => isLazy !== true);
    if (waits.length === 0) {
      this.syncSoon();
      this.#acknowledge(changes, outcomes);
      return;
    }
    if (waits.length < changes.length) {
      const isLazyAt = (at: number): boolean => changes[at]?.isLazy === true;
      this.#acknowledge(
        changes.filter((_, at) => isLazyAt(at)),
        outcomes.filter((_, at) => isLazyAt(at)),
      );
    }
    const waited = outcomes.filter((_, at) => changes[at]?.isLazy !== true);
    this.sync().then(
      () => this.#acknowledge(waits, waited),
      (error: unknown) => this.#failAll(waits, error),
    );
  }

  /** Runs one transaction; `undefined` when it failed as a whole and everyone has been told. */
  #transact(changes: readonly PendingCommit<unknown>[]): Outcome[] | undefined {
    const { storage, seal, rolledBack } = this.#options;
    const outcomes: Outcome[] = [];
    try {
      storage.transact((transaction) => {
        outcomes.length = 0;
        for (const change of changes) outcomes.push(applyOne(change, transaction));
        seal(transaction);
      });
      this.commitsTotal += 1;
      return outcomes;
    } catch (error) {
      rolledBack();
      this.#failAll(changes, error);
      return undefined;
    }
  }

  #acknowledge(changes: readonly PendingCommit<unknown>[], outcomes: readonly Outcome[]): void {
    for (const [index, change] of changes.entries()) {
      const outcome = outcomes[index] as Outcome;
      this.#settle(() => {
        if (outcome.isRefused) change.failed(outcome.error);
        else change.acknowledged(outcome.value);
      });
    }
  }

  #failAll(changes: readonly PendingCommit<unknown>[], error: unknown): void {
    for (const change of changes) this.#settle(() => change.failed(error));
  }

  #settle(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#options.logger.error({ error }, "an acknowledgement threw");
    }
    this.#inFlight -= 1;
    if (this.#inFlight > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Begins a sync within the interval, if none is on its way already. */
  syncSoon(): void {
    this.#cancelSync ??= this.#options.timers.after(this.#options.syncIntervalMs, () => {
      this.#cancelSync = undefined;
      this.sync().catch((error: unknown) =>
        this.#options.logger.error({ error: String(error) }, "a sync failed"),
      );
    });
  }
}

type Outcome =
  | { readonly isRefused: false; readonly value: unknown }
  | { readonly isRefused: true; readonly error: EnokiError };

function applyOne(change: PendingCommit<unknown>, transaction: Transaction): Outcome {
  try {
    return { isRefused: false, value: change.apply(transaction) };
  } catch (error) {
    // A refusal concerns this change alone; anything else (a full disk, a bug) rolls all back.
    if (error instanceof EnokiError && error.code !== "ENOKI_DISK_FULL") {
      return { isRefused: true, error };
    }
    throw error;
  }
}
