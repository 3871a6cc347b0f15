import { includesDot, type Dot } from "./dot.js";
import type { LiveEntry } from "./catch-up.js";
import type { Version } from "./item.js";
import type { Vector } from "./vector.js";

/**
 * A conflict is two versions of a key whose writers did not know of one another. A replica resolves it
 * when it makes an end of one of them: it drops the lesser one when it meets the greater one (`lww`), or
 * a write here replaces both.
 */

/** How many versions were dropped for being lesser when an update made `after` of `before`. */
export function lostToUpdate(
  before: readonly Version[],
  replaces: readonly Dot[],
  after: readonly Version[],
): number {
  if (before.length === 0) return 0;
  let metTotal = 1;
  for (const { dot } of before) if (!includesDot(replaces, dot)) metTotal += 1;
  return metTotal - after.length;
}

/** The same for a record of a catch-up; see `installRecord`. */
export function lostToRecord(
  before: readonly Version[],
  live: readonly LiveEntry[],
  after: readonly Version[],
  applied: { readonly at: Vector; readonly current: Vector },
): number {
  if (before.length === 0) return 0;
  const listed = live.map(({ dot }) => dot);
  let metTotal = 0;
  for (const { dot } of before) {
    if (!applied.at.covers(dot) || includesDot(listed, dot)) metTotal += 1;
  }
  for (const dot of listed) if (!applied.current.covers(dot)) metTotal += 1;
  return metTotal - after.length;
}

/** How many conflicts end with a write that replaces those versions: it joins them, or chooses. */
export function resolvedByWrite(replaces: readonly Dot[]): number {
  return Math.max(0, replaces.length - 1);
}
