import {
  decodeStaged,
  encodeStaged,
  installRecord,
  successor,
  type CatchUpChunk,
} from "./catch-up.js";
import type { ItemChanges } from "./item-changes.js";
import type { Policy } from "./live-set.js";
import {
  parseStagingRow,
  ROW_PREFIX,
  stagingRowKey,
  type RowPair,
  type RowReader,
  type RowWrite,
} from "./rows.js";
import type { Vector } from "./vector.js";

interface Running {
  readonly from: number;
  nextSequence: number;
}

const PAGE_ROWS = 256;
const EMPTY = new Uint8Array(0);

/**
 * The catch-ups that this replica is receiving. Their records wait in rows of their own, outside the
 * live state, until the last one has come; rows of catch-ups that broke off are dropped by
 * {@link dropLeftovers}.
 */
export class Staging {
  readonly #running = new Map<number, Running>();
  #lastId = 0;

  /** Starts one and returns its number, which no row in the store uses. */
  begin(reader: RowReader, from: number): number {
    const last = reader.range({ ...ALL_ROWS, reverse: true, limit: 1 })[0];
    const lastStored = last ? parseStagingRow(last.key).staging : 0;
    this.#lastId = Math.max(this.#lastId, lastStored) + 1;
    this.#running.set(this.#lastId, { from, nextSequence: 0 });
    return this.#lastId;
  }

  /** True when `chunk` is the next of a running catch-up; one that is out of order breaks it off. */
  accepts(chunk: CatchUpChunk): boolean {
    const running = this.#running.get(chunk.id);
    if (!running) return false;
    if (running.nextSequence++ === chunk.sequence) return true;
    this.#running.delete(chunk.id);
    return false;
  }

  /** Breaks off one catch-up. */
  cancel(id: number): void {
    this.#running.delete(id);
  }

  /** Breaks off the catch-ups whose sender is not among `members`. */
  keepOnly(members: readonly number[]): void {
    for (const [id, { from }] of this.#running)
      if (!members.includes(from)) this.#running.delete(id);
  }

  /** The rows of a chunk. A later record of a key replaces an earlier one. */
  stageWrites(chunk: CatchUpChunk): RowWrite[] {
    return chunk.records.map((record) => ({
      key: stagingRowKey(chunk.id, record.key),
      value: encodeStaged(record, chunk.at),
    }));
  }

  /** Installs all records up to the last `chunk` into `changes`; returns the drops of their rows. */
  install(
    reader: RowReader,
    chunk: CatchUpChunk,
    changes: ItemChanges,
    target: { readonly policy: Policy; readonly vector: Vector },
  ): RowWrite[] {
    this.#running.delete(chunk.id);
    const { policy, vector } = target;
    const drops: RowWrite[] = [];
    const renewed = new Set<string>();
    for (const { key, live } of chunk.records) {
      renewed.add(key.join());
      changes.set(key, installRecord(policy, changes.get(key), live, chunk.at, vector));
    }
    for (const row of rowsOf(reader, chunk.id)) {
      drops.push({ key: row.key, value: undefined });
      const { key } = parseStagingRow(row.key);
      if (renewed.has(key.join())) continue;
      const { live, at } = decodeStaged(row.value);
      changes.set(key, installRecord(policy, changes.get(key), live, at, vector));
    }
    return drops;
  }

  /** Drops up to `limit` rows of catch-ups that no longer run. */
  dropLeftovers(reader: RowReader, limit: number): RowWrite[] {
    return reader
      .range({ ...ALL_ROWS, limit })
      .filter((row) => !this.#running.has(parseStagingRow(row.key).staging))
      .map((row) => ({ key: row.key, value: undefined }));
  }
}

const ALL_ROWS = {
  start: Uint8Array.of(ROW_PREFIX.staging),
  end: Uint8Array.of(ROW_PREFIX.staging + 1),
};

function* rowsOf(reader: RowReader, id: number): Iterable<RowPair> {
  let start = stagingRowKey(id, EMPTY);
  const end = stagingRowKey(id + 1, EMPTY);
  for (;;) {
    const rows = reader.range({ start, end, limit: PAGE_ROWS });
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    start = successor((rows.at(-1) as RowPair).key);
  }
}
