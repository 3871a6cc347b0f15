import type { KeygroupName } from "../core/ids.js";
import type { Replica } from "../core/replica.js";
import type { RowReader, RowWrite } from "../core/rows.js";
import type { Update } from "../core/update.js";

/** A change of a replica by what another member said. */
export interface ReplicaChange<T> {
  /**
   * Decides inside the transaction of this turn. What it writes beyond the returned rows it puts
   * there itself, so that it can ask the replica more than once.
   */
  readonly work: (replica: Replica, transaction: ReplicaTransaction) => ReplicaEffects<T>;
  /** It is committed, and reads see it. */
  readonly done: (value: T) => void;
  /** The transaction failed: nothing has happened, and the replica is another object. */
  readonly failed: (error: unknown) => void;
}

/** What a change leaves. */
export interface ReplicaEffects<T> {
  readonly writes: readonly RowWrite[];
  /** User keys that show something new; watchers are told. */
  readonly touched: readonly Uint8Array[];
  readonly value: T;
}

/** The transaction of a turn, as replication sees it. */
export interface ReplicaTransaction extends RowReader {
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
}

/** What a keygroup tells those who replicate it. */
export interface ReplicationHook {
  /** A commit of this replica may be sent: it is as durable as its acknowledgement says. */
  committed(update: Update): void;
  /** A transaction failed; the replica is another object and has forgotten what it held. */
  reopened(): void;
  /**
   * How long ago a value that is read now may have been overwritten at another member; Infinity
   * while nothing is known of one.
   */
  stalenessMs(): number;
}

/** A keygroup, for those who replicate it. */
export interface ReplicaHost {
  readonly name: KeygroupName;
  /** The replica of now; not to be kept, for a failed transaction replaces it. */
  readonly replica: Replica;
  /** The last commit. */
  readonly rows: RowReader;
  attach(hook: ReplicationHook): void;
  /** More is known of the other members: whoever waits for that is looked after. */
  heard(): void;
  /** Changes the replica with this turn's commit. */
  change<T>(change: ReplicaChange<T>): void;
  /**
   * Calls `then` once everything that shows own commits of now may leave the node: at once when
   * `relaxed`; when `strict` after a sync, because a strict replica that comes back from a power cut
   * goes on under its old origin and must not have shown a dot that it gives away again.
   */
  whenShareable(then: () => void): void;
  /** Resolves once everything committed so far is on the disk. */
  sync(): Promise<void>;
  /** While it leaves, a keygroup refuses writes. */
  setLeaving(isLeaving: boolean): void;
}
