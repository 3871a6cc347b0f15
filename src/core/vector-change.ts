import type { Dot, Origin } from "./dot.js";
import { Vector } from "./vector.js";

/** What makes one vector of another. */
export interface VectorChange {
  readonly epoch: number;
  /** Entries that are new or have another number, in the order of origins. */
  readonly entries: readonly Dot[];
  /** Origins that are listed no more, in their order. */
  readonly removed: readonly Origin[];
}

/** The vector that a first change builds on. */
export const NO_VECTOR = new Vector();

/** What changed between two vectors; `undefined` if nothing did. */
export function vectorChange(before: Vector, after: Vector): VectorChange | undefined {
  if (before === after) return undefined;
  const entries = after
    .entries()
    .filter((dot) => !before.lists(dot) || before.get(dot) !== dot.counter);
  const removed = before.entries().filter((origin) => !after.lists(origin));
  const isSame = entries.length === 0 && removed.length === 0 && before.epoch === after.epoch;
  return isSame ? undefined : { epoch: after.epoch, entries, removed };
}

/** The vector that `change` makes of `before`, which stays as it is. */
export function changedVector(before: Vector, { epoch, entries, removed }: VectorChange): Vector {
  const after = new Vector([], epoch);
  const gone = new Vector();
  for (const origin of removed) gone.raise({ ...origin, counter: 0 });
  for (const origin of entries) gone.raise({ ...origin, counter: 0 });
  for (const dot of before.entries()) if (!gone.lists(dot)) after.raise(dot);
  for (const dot of entries) after.raise(dot);
  return after;
}
