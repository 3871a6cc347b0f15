import type { ByteReader, ByteWriter } from "../codec.js";
import { compareOrigins, DOT_BYTES_MIN, readDot, type Dot } from "../dot.js";
import { EnokiError } from "../errors.js";

/**
 * One origin's share of a counter. `counter` is that of the commit which wrote it: dots are never
 * used twice, so of two cells of one origin the one with the greater counter is the newer, even
 * across a delete in between.
 */
interface Cell extends Dot {
  readonly sum: number;
}

/** At most one cell per origin, in the order of origins. */
export type Cells = readonly Cell[];

/** Adds `n` to the share of the dot's origin. @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` */
export function addToCells(cells: Cells, n: number, dot: Dot): Cells {
  const own = cells.find((cell) => compareOrigins(cell, dot) === 0);
  const { epoch, restart, counter } = dot;
  const cell = { epoch, restart, counter, sum: checkInteger((own?.sum ?? 0) + checkInteger(n)) };
  const next = [...cells.filter((other) => other !== own), cell].sort(compareOrigins);
  checkInteger(sumOf(next));
  return next;
}

/** Takes the newest cell of every origin. */
export function joinCells(left: Cells, right: Cells): Cells {
  const joined: Cell[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length || r < right.length) {
    const a = left[l];
    const b = right[r];
    const order = a && b ? compareOrigins(a, b) : a ? -1 : 1;
    if (order < 0) joined.push(a as Cell);
    else if (order > 0) joined.push(b as Cell);
    else joined.push((a as Cell).counter >= (b as Cell).counter ? (a as Cell) : (b as Cell));
    if (order <= 0) l++;
    if (order >= 0) r++;
  }
  return joined;
}

/** The counter's value. Concurrent additions may take it past the exact integers; then it rounds. */
export function sumOf(cells: Cells): number {
  let sum = 0;
  for (const cell of cells) sum += cell.sum;
  return sum;
}

/** Appends the canonical encoding: equal cells give equal bytes. */
export function writeCells(writer: ByteWriter, cells: Cells): void {
  writer.varint(cells.length);
  for (const { epoch, restart, counter, sum } of cells) {
    writer.varint(epoch).varint(restart).varint(counter);
    writer.byte(sum < 0 ? 1 : 0).varint(Math.abs(sum));
  }
}

/** Reads what {@link writeCells} wrote. */
export function readCells(reader: ByteReader): Cells {
  return reader.list(DOT_BYTES_MIN + 2, () => {
    const dot = readDot(reader);
    const isNegative = reader.byte() === 1;
    const magnitude = reader.varint();
    return { ...dot, sum: isNegative ? -magnitude : magnitude };
  });
}

function checkInteger(n: number): number {
  if (Number.isSafeInteger(n)) return n;
  throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", "a counter holds integers within ±(2^53−1)");
}
