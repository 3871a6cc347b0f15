import type { CatchUpChunk } from "../../core/catch-up.js";
import type { Replica } from "../../core/replica.js";
import { INTERNAL_KEY_PREFIX, itemKeyOf, ROW_PREFIX, type RowWrite } from "../../core/rows.js";
import type { ChunkEffects, ReceiveEffects, Update } from "../../core/update.js";
import { putRows } from "../keygroup-store.js";
import type { ReplicaEffects, ReplicaTransaction } from "../replica-host.js";

/** What updates did, one after the other. */
export interface StoredUpdates {
  readonly received: readonly ReceiveEffects[];
  /** Conflicts that they ended. */
  readonly conflicts: number;
}

/** What a chunk did, with the updates that had waited for it. */
export interface StoredChunk {
  readonly effects: ChunkEffects;
  readonly held: ReceiveEffects | undefined;
  /** Conflicts that it ended. */
  readonly conflicts: number;
}

/** Gives updates to the replica, one after the other, and stores what they do. */
export function storeUpdates(
  replica: Replica,
  transaction: ReplicaTransaction,
  updates: readonly Update[],
): ReplicaEffects<StoredUpdates> {
  const { conflictsTotal } = replica;
  const received: ReceiveEffects[] = [];
  const touched: Uint8Array[] = [];
  for (const update of updates) {
    const effects = replica.receive(transaction, update);
    putRows(transaction, effects.writes);
    pushTouched(touched, effects);
    received.push(effects);
  }
  const conflicts = replica.conflictsTotal - conflictsTotal;
  return { writes: [], touched, value: { received, conflicts } };
}

/** Gives a chunk of `from` to the replica and stores what it does. */
export function storeChunk(
  replica: Replica,
  transaction: ReplicaTransaction,
  chunk: CatchUpChunk,
  from: number,
): ReplicaEffects<StoredChunk> {
  const touched: Uint8Array[] = [];
  const { conflictsTotal } = replica;
  const { isServing } = replica.identity;
  const effects = replica.receiveChunk(transaction, chunk, from);
  // A replica that joins shows nothing before the end, and then everything.
  putRows(transaction, isServing ? noting(effects.writes, touched) : effects.writes);
  if (effects.outcome !== "applied") {
    return { writes: [], touched: [], value: { effects, held: undefined, conflicts: 0 } };
  }
  const held = replica.receiveHeld(transaction);
  putRows(transaction, held.writes);
  pushTouched(touched, held);
  const conflicts = replica.conflictsTotal - conflictsTotal;
  return { writes: [], touched, value: { effects, held, conflicts } };
}

function pushTouched(touched: Uint8Array[], { applied }: ReceiveEffects): void {
  for (const { entries } of applied) {
    for (const { key } of entries) if (key[0] !== INTERNAL_KEY_PREFIX) touched.push(key);
  }
}

/** Passes writes on and notes the user keys among them. */
function* noting(writes: Iterable<RowWrite>, touched: Uint8Array[]): Generator<RowWrite, void> {
  for (const write of writes) {
    yield write;
    const isItem = write.key[0] === ROW_PREFIX.item && write.key[1] !== INTERNAL_KEY_PREFIX;
    if (isItem) touched.push(itemKeyOf(write.key));
  }
}
