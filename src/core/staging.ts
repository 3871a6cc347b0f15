import {
  decodeStaged,
  encodeStaged,
  installRecord,
  type CatchUpChunk,
  type CatchUpRecord,
} from "./catch-up.js";
import { ByteMap } from "./byte-map.js";
import { lostToRecord } from "./conflicts.js";
import { decodeItem } from "./item.js";
import { pushRowChanges } from "./live-set.js";
import {
  itemRowKey,
  parseStagingRow,
  ROW_PREFIX,
  stagingRowKey,
  successor,
  type RowPair,
  type RowReader,
  type RowWrite,
} from "./rows.js";
import type { Vector } from "./vector.js";

const PAGE_ROWS = 256;
const EMPTY = new Uint8Array(0);

/**
 * The records of catch-ups that have not ended: they wait in rows of their own, outside the live
 * state. Rows of catch-ups that broke off are dropped by {@link leftoverDrops}.
 */

/** What a catch-up is installed into. */
export interface Installing {
  /** What the replica has applied. */
  readonly current: Vector;
  /** Told of versions that are dropped for being lesser, key by key. */
  readonly lost: (versions: number) => void;
}

/** A number that no staging row in the store uses, above `lastId`. */
export function nextStagingId(reader: RowReader, lastId: number): number {
  const last = reader.range({ ...ALL_ROWS, reverse: true, limit: 1 })[0];
  return Math.max(lastId, last ? parseStagingRow(last.key).staging : 0) + 1;
}

/** The rows of a chunk. A later record of a key replaces an earlier one. */
export function stageWrites(chunk: CatchUpChunk): RowWrite[] {
  return chunk.records.map((record) => ({
    key: stagingRowKey(chunk.id, record.key),
    value: encodeStaged(record, chunk.at),
  }));
}

/**
 * The rows that install all records up to the last `chunk`, one key after the other, and drop what
 * was staged. They are made as they are asked for, so that a large catch-up is never in memory as a
 * whole.
 */
export function* installWrites(
  reader: RowReader,
  chunk: CatchUpChunk,
  { current, lost }: Installing,
): Generator<RowWrite, void> {
  const renewed = new ByteMap<true>();
  for (const record of chunk.records) {
    renewed.set(record.key, true);
    yield* keyWrites(reader, record, { at: chunk.at, current, lost });
  }
  for (const row of rowsOf(reader, chunk.id)) {
    yield { key: row.key, value: undefined };
    const { key } = parseStagingRow(row.key);
    if (renewed.has(key)) continue;
    const { live, at } = decodeStaged(row.value);
    yield* keyWrites(reader, { key, live }, { at, current, lost });
  }
}

/** The rows that store a record where nothing else is. */
export function freshWrites(reader: RowReader, chunk: CatchUpChunk): RowWrite[] {
  const writes: RowWrite[] = [];
  for (const { key, live } of chunk.records) {
    const rowKey = itemRowKey(key);
    const stored = reader.get(rowKey);
    const before = stored ? decodeItem(stored) : [];
    const after = live.flatMap(({ version }) => (version ? [version] : []));
    pushRowChanges(writes, { rowKey, key }, before, after);
  }
  return writes;
}

/** Drops up to `limit` rows of catch-ups that no longer run. */
export function leftoverDrops(
  reader: RowReader,
  limit: number,
  isRunning: (id: number) => boolean,
): RowWrite[] {
  return reader
    .range({ ...ALL_ROWS, limit })
    .filter((row) => !isRunning(parseStagingRow(row.key).staging))
    .map((row) => ({ key: row.key, value: undefined }));
}

const ALL_ROWS = {
  start: Uint8Array.of(ROW_PREFIX.staging),
  end: Uint8Array.of(ROW_PREFIX.staging + 1),
};

function keyWrites(
  reader: RowReader,
  { key, live }: CatchUpRecord,
  applied: Installing & { readonly at: Vector },
): RowWrite[] {
  const rowKey = itemRowKey(key);
  const stored = reader.get(rowKey);
  const before = stored ? decodeItem(stored) : [];
  const after = installRecord(before, live, applied.at, applied.current);
  const writes: RowWrite[] = [];
  pushRowChanges(writes, { rowKey, key }, before, after);
  applied.lost(lostToRecord(before, live, after, applied));
  return writes;
}

function* rowsOf(reader: RowReader, id: number): Generator<RowPair, void> {
  let start = stagingRowKey(id, EMPTY);
  const end = stagingRowKey(id + 1, EMPTY);
  for (;;) {
    const rows = reader.range({ start, end, limit: PAGE_ROWS });
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    start = successor((rows.at(-1) as RowPair).key);
  }
}
