import { ByteReader, ByteWriter } from "../codec.js";
import type { Dot } from "../dot.js";
import { addToCells, joinCells, readCells, sumOf, writeCells, type Cells } from "./cells.js";

/** A counter: the sum of one cell per origin. */
export type CounterState = Cells;

/** A counter nobody has added to. */
export const EMPTY_COUNTER: CounterState = [];

/**
 * Adds `n`, in the commit named by `dot`.
 * @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` beyond ±(2^53−1)
 */
export function addToCounter(state: CounterState, n: number, dot: Dot): CounterState {
  return addToCells(state, n, dot);
}

/** The state that holds both. Commutative, associative, idempotent. */
export function joinCounters(left: CounterState, right: CounterState): CounterState {
  return joinCells(left, right);
}

/** What a reader sees. */
export function counterValue(state: CounterState): number {
  return sumOf(state);
}

/** Canonical bytes of the state. */
export function encodeCounter(state: CounterState): Uint8Array {
  const writer = new ByteWriter();
  writeCells(writer, state);
  return writer.finish();
}

/** Reads what {@link encodeCounter} wrote. */
export function decodeCounter(bytes: Uint8Array): CounterState {
  return readCells(new ByteReader(bytes));
}
