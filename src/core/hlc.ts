/**
 * Hybrid time: one safe integer, `wallMs × 1024 + logical`. A burst of more than 1,024 events within
 * a millisecond runs ahead of the wall clock by a millisecond; it fits 53 bits until the year 2248.
 */
export type Hlc = number;

const LOGICAL_PER_MS = 1024;

/** No hybrid time of a peer may lie beyond: the year 2223. What is added to it stays exact. */
export const HLC_MAX = 8_000_000_000_000 * LOGICAL_PER_MS;

/** The time of a new event: above everything seen, and not behind the wall clock. */
export function tick(seen: Hlc, wallMs: number): Hlc {
  return Math.max(hlcFromMs(wallMs), seen + 1);
}

/** The first hybrid time of a millisecond. */
export function hlcFromMs(wallMs: number): Hlc {
  return Math.floor(wallMs) * LOGICAL_PER_MS;
}

/** The millisecond that a hybrid time belongs to. */
export function hlcToMs(hlc: Hlc): number {
  return Math.floor(hlc / LOGICAL_PER_MS);
}
