import type { Replica } from "../core/replica.js";
import type { RowWrite } from "../core/rows.js";
import type { Transaction } from "../ports/storage.js";

/** Stores row writes in a transaction. */
export function putRows(transaction: Transaction, writes: Iterable<RowWrite>): void {
  for (const { key, value } of writes) {
    if (value === undefined) transaction.delete(key);
    else transaction.put(key, value);
  }
}

/** Stores the replica's own state, once per transaction and last. */
export function sealReplica(transaction: Transaction, replica: Replica): void {
  putRows(transaction, replica.sealWrites());
}
