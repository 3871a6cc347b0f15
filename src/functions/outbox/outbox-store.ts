import type { RowWrite } from "../../core/rows.js";
import type { Reader, Transaction } from "../../ports/storage.js";

/** A store whose local rows hold invocations: a keygroup. */
export interface OutboxStore {
  readonly name: string;
  readonly rows: Pick<Reader, "get" | "range">;
  commitLocal<T>(
    work: (transaction: Transaction) => { readonly writes: readonly RowWrite[]; readonly value: T },
  ): Promise<T>;
}
