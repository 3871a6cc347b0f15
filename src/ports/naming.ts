import { EnokiError } from "../core/errors.js";

/** One stored record. */
export interface NamingEntry {
  readonly key: string;
  readonly value: string;
  /** Rises with each change of this key; unique over the life of the key, also when it is recreated. */
  readonly revision: number;
}

/** A change that a watch reports: `value` is `undefined` when the key is gone. */
export interface NamingChange {
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
}

/** What must hold for a transaction: the key has that revision; 0 = there is no such key. */
export interface NamingCheck {
  readonly key: string;
  readonly revision: number;
}

/** One write of a transaction; `value` `undefined` deletes. */
export interface NamingWrite {
  readonly key: string;
  readonly value: string | undefined;
  /**
   * The record vanishes with the lease of this process. If the lease ran out while the process lived
   * (a long cut), the record is written again, unless somebody else has written it meanwhile.
   */
  readonly isLeased?: boolean;
}

/** What a watch tells. A store that had to be asked anew (compaction, a long cut) sends `reset`. */
export interface NamingEvents {
  /** The whole of what lies below the prefix, at the beginning and whenever changes were missed. */
  reset(entries: readonly NamingEntry[]): void;
  /** Changes of one transaction, in its order. */
  changed(changes: readonly NamingChange[]): void;
  /** Whether the store can be asked now, and why not. Data that is known already stays usable. */
  reachable(isReachable: boolean, cause?: EnokiError): void;
}

/**
 * The naming service: a small, strongly consistent store of records that all nodes watch. It holds
 * global configuration only and is never asked on the way of an invocation or of an operation.
 */
export interface Naming {
  /** Everything below `prefix`. @throws EnokiError `ENOKI_NAMING_UNAVAILABLE` at once */
  read(prefix: string): Promise<readonly NamingEntry[]>;
  /**
   * Writes all or, if a check fails, nothing and resolves with false. No key may occur twice among
   * the writes, and there are at most {@link NAMING_WRITES_MAX}. A transaction whose outcome is unknown
   * (the connection broke) rejects, see {@link isOutcomeUnknown}; the caller reads before it tries
   * again.
   * @throws EnokiError `ENOKI_NAMING_UNAVAILABLE` at once when the service does not answer,
   * `ENOKI_NAMING_REFUSED` when it does not let this node in
   */
  transact(checks: readonly NamingCheck[], writes: readonly NamingWrite[]): Promise<boolean>;
  /** Follows everything below `prefix` until the returned function is called; never gives up. */
  watch(prefix: string, events: NamingEvents): () => void;
  /** Ends the lease, so that leased records vanish now, and all watches. */
  close(): Promise<void>;
}

/** Writes, and checks, in one transaction. */
export const NAMING_WRITES_MAX = 100;

/** The error of a service that does not answer; nothing was changed. */
export function namingUnavailable(detail: string): EnokiError {
  return new EnokiError("ENOKI_NAMING_UNAVAILABLE", detail);
}

/** The error of a transaction that may or may not have taken effect. */
export function namingOutcomeUnknown(detail: string): EnokiError {
  return new EnokiError("ENOKI_NAMING_UNAVAILABLE", detail, { outcome: "unknown" });
}

/** True for an error of {@link namingOutcomeUnknown}. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof EnokiError && error.extra["outcome"] === "unknown";
}
