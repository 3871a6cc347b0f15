import type { Dot, Origin } from "./dot.js";
import {
  INDEX_ROWS,
  indexStart,
  parseDotRow,
  successor,
  type RowPair,
  type RowReader,
} from "./rows.js";

const PAGE_ROWS = 256;

/** A key that holds a live version with that dot. */
export interface IndexedDot {
  readonly dot: Dot;
  readonly key: Uint8Array;
}

/**
 * The live dots above what is reached, and their keys, in the order of dots: origin by origin,
 * whether or not a vector still lists it. Reads pages; the store must not change meanwhile.
 * @param reached the last commit of an origin that is not wanted; infinite to leave it out
 */
export function* dotsAbove(
  reader: RowReader,
  reached: (origin: Dot) => number,
): Generator<IndexedDot, void> {
  for (let first = firstFrom(reader, INDEX_ROWS.start); first;) {
    const origin: Dot = first.dot;
    const from = reached(origin) + 1;
    if (from !== Infinity) yield* dotsOf(reader, origin, from);
    first = firstFrom(reader, indexStart(nextOrigin(origin), 0));
  }
}

function* dotsOf(reader: RowReader, origin: Origin, from: number): Generator<IndexedDot, void> {
  const end = indexStart(nextOrigin(origin), 0);
  let start = indexStart(origin, from);
  for (;;) {
    const rows = reader.range({ start, end, limit: PAGE_ROWS });
    for (const row of rows) yield parseDotRow(row.key);
    if (rows.length < PAGE_ROWS) return;
    start = successor((rows.at(-1) as RowPair).key);
  }
}

/** Sorts right behind every dot of `origin`. */
function nextOrigin({ epoch, restart }: Origin): Origin {
  return { epoch, restart: restart + 1 };
}

function firstFrom(reader: RowReader, start: Uint8Array): IndexedDot | undefined {
  const row = reader.range({ start, end: INDEX_ROWS.end, limit: 1 })[0];
  return row && parseDotRow(row.key);
}
