import type { Version } from "../core/item.js";
import type { Policy } from "../core/live-set.js";
import type { TypedValue } from "../core/value.js";
import { visibleValue, versionToken, visibleVersions } from "../core/visible.js";

/** What a reader sees of a key. */
export interface Shown {
  readonly value: TypedValue;
  /** Opaque, as in an entry. */
  readonly version: string;
  /** The live versions that it comes from. */
  readonly versions: readonly Version[];
}

/** What a reader sees of the live versions of a key; `undefined` = nothing. */
export function shownOf(
  policy: Policy,
  versions: readonly Version[],
  nowMs: number,
): Shown | undefined {
  const value = visibleValue(policy, versions, nowMs);
  if (!value) return undefined;
  const visible = visibleVersions(policy, versions, nowMs);
  return { value, version: versionToken(visible), versions: visible };
}
