import type { RangeOptions, Row } from "../ports/storage.js";
import { type LmdbDatabase, useLargeReadBuffer, useSmallReadBuffer } from "./lmdb-environment.js";

/** Reads one value from the latest commit, or from the write transaction that is open. */
export function readValue(database: LmdbDatabase, key: Uint8Array): Uint8Array | undefined {
  const bytes = withRoomForHugeValues(database, () => database.getBinary(key));
  return bytes && plain(bytes);
}

/** Reads rows from the latest commit, or from the write transaction that is open. */
export function readRange(database: LmdbDatabase, options: RangeOptions): Row[] {
  const { start, end, reverse = false, limit = Infinity } = options;
  if (limit <= 0 || end?.length === 0) return [];
  // Zero bytes as a bound mean "from the first", which lmdb-js spells `undefined`.
  const lower = start?.length === 0 ? undefined : start;
  const query = reverse
    ? {
        start: end,
        exclusiveStart: end !== undefined,
        end: lower,
        inclusiveEnd: true,
        reverse,
        limit,
      }
    : { start: lower, end, limit };
  return withRoomForHugeValues(database, () => {
    const rows: Row[] = [];
    const range = database.getRange(query as Parameters<LmdbDatabase["getRange"]>[0]);
    // why not for…of: lmdb-js wraps its iterator three times for that, which costs as much as it.
    const iterator = (range as unknown as { iterate(): Iterator<Row> }).iterate();
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      rows.push({ key: next.value.key, value: plain(next.value.value) });
    }
    return rows;
  });
}

/**
 * lmdb-js reads values from 16 MiB up through a view on the map, whose size it may have kept from an
 * environment that lay at the same address before. Such a read is repeated through a buffer.
 */
function withRoomForHugeValues<T>(database: LmdbDatabase, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    useLargeReadBuffer(database);
    try {
      return read();
    } finally {
      useSmallReadBuffer(database);
    }
  }
}

/** The same bytes without the properties that lmdb-js hangs on the buffers of large values. */
function plain(bytes: Uint8Array): Uint8Array {
  return Object.hasOwn(bytes, "length")
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    : bytes;
}
