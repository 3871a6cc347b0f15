import { includesDot, compareDots, type Dot } from "./dot.js";
import { compareVersions, dotsOf, encodeItem, type Version } from "./item.js";
import { expiryRowKey, garbageRowKey, indexRowKey, PRESENT, type RowWrite } from "./rows.js";
import { isCrdt, TAG, type TypedValue } from "./value.js";

/** How a keygroup treats concurrent versions of one key. */
export type Policy = "lww" | "siblings" | "merge";

/**
 * Which versions of a key are live: the greatest by (hlc, origin, counter), and the *pinned* ones that
 * no applied write has replaced. It is a pure function of the set of commits applied, and the same
 * under every policy, so that replicas which learn of another policy at different times keep the same.
 * A policy decides what a write pins ({@link pins}), what it marks as a sibling, and what a reader
 * sees (`visible.ts`).
 */
export function applyVersion(
  live: readonly Version[],
  version: Version,
  replaces: readonly Dot[],
): Version[] {
  const kept = live.filter((other) => !includesDot(replaces, other.dot));
  kept.push(version);
  return normalise(kept);
}

/** Brings a union of live versions into its form: order of dots, losers dropped. */
export function normalise(versions: Version[]): Version[] {
  if (versions.length < 2) return versions;
  const greatest = greatestOf(versions);
  const kept = versions.filter((version) => version.isPinned || version === greatest);
  return kept.sort((left, right) => compareDots(left.dot, right.dot));
}

/** The greatest version by (hlc, origin, counter). */
export function greatestOf(versions: readonly Version[]): Version | undefined {
  let greatest = versions[0];
  for (const version of versions) {
    if (compareVersions(version, greatest as Version) > 0) greatest = version;
  }
  return greatest;
}

/** The live dots that a write supersedes. What is no longer live was superseded before. */
export function replacedDots(live: readonly Version[], replaces: "all" | readonly Dot[]): Dot[] {
  const dots = dotsOf(live);
  return replaces === "all" ? dots : dots.filter((dot) => includesDot(replaces, dot));
}

/**
 * Whether a new version of that type is pinned, given the live versions that it replaces: under
 * `siblings` and `merge` always; under `lww` CRDT versions, and whatever replaces a pinned one.
 *
 * why the last: a plain version that replaced a pinned one and then lost to a greater one must stay
 * known, or a replica that catches up would never learn that the pinned one is gone.
 */
export function pins(
  policy: Policy,
  value: TypedValue,
  live: readonly Version[],
  replaces: readonly Dot[],
): boolean {
  if (policy !== "lww" || isCrdt(value.tag)) return true;
  return live.some((version) => version.isPinned && includesDot(replaces, version.dot));
}

/**
 * True for a plain version that was written under `lww`, lost to a greater one and is only kept because
 * it is pinned. No reader ever sees it.
 */
export function isShadowed(live: readonly Version[], version: Version): boolean {
  if (!version.isPinned || version.isSibling || isCrdt(version.value.tag)) return false;
  return greatestOf(live) !== version;
}

/** True when `version` has a garbage row: a tombstone, or shadowed. */
function isListedAsGarbage(live: readonly Version[], version: Version): boolean {
  return version.value.tag === TAG.tombstone || isShadowed(live, version);
}

/** Appends the writes that turn the rows of `before` into the rows of `after`, for one key. */
export function pushRowChanges(
  writes: RowWrite[],
  row: { readonly rowKey: Uint8Array; readonly key: Uint8Array },
  before: readonly Version[],
  after: readonly Version[],
): void {
  const { rowKey, key } = row;
  for (const version of before) {
    const stays = after.find((other) => compareDots(other.dot, version.dot) === 0);
    const wasGarbage = isListedAsGarbage(before, version);
    const isGarbage = stays !== undefined && isListedAsGarbage(after, stays);
    if (wasGarbage && !isGarbage) writes.push(dropRow(garbageRowKey(version.dot, key)));
    if (!wasGarbage && isGarbage) writes.push(presentRow(garbageRowKey(version.dot, key)));
    if (stays) continue;
    writes.push(dropRow(indexRowKey(version.dot, key)));
    if (version.expiresAtMs !== 0) {
      writes.push(dropRow(expiryRowKey(version.expiresAtMs, version.dot, key)));
    }
  }
  for (const version of after) {
    if (before.some((other) => compareDots(other.dot, version.dot) === 0)) continue;
    writes.push(presentRow(indexRowKey(version.dot, key)));
    if (isListedAsGarbage(after, version)) {
      writes.push(presentRow(garbageRowKey(version.dot, key)));
    }
    if (version.expiresAtMs !== 0) {
      writes.push(presentRow(expiryRowKey(version.expiresAtMs, version.dot, key)));
    }
  }
  writes.push({ key: rowKey, value: after.length === 0 ? undefined : encodeItem(after) });
}

function presentRow(key: Uint8Array): RowWrite {
  return { key, value: PRESENT };
}

function dropRow(key: Uint8Array): RowWrite {
  return { key, value: undefined };
}
