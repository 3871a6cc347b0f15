import type { RowWrite } from "../../core/rows.js";
import type { Reader, Transaction } from "../../ports/storage.js";

/** Decides within a transaction which rows are written. */
export type LocalWork<T> = (transaction: Transaction) => {
  readonly writes: readonly RowWrite[];
  readonly value: T;
};

/** A store whose local rows hold invocations: a keygroup. */
export interface OutboxStore {
  readonly name: string;
  readonly rows: Pick<Reader, "get" | "range">;
  commitLocal<T>(work: LocalWork<T>): Promise<T>;
  /** The same with callbacks, which are called within the turn of the commit. */
  submitLocal<T>(
    work: LocalWork<T>,
    acknowledged: (value: T) => void,
    failed: (error: unknown) => void,
  ): void;
}
