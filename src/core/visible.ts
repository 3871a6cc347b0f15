import { compareDots, formatDot } from "./dot.js";
import { crdtJson, joinStates } from "./crdt/index.js";
import type { Version } from "./item.js";
import { greatestOf, isShadowed, type Policy } from "./live-set.js";
import { isCrdt, TAG, type TypedValue } from "./value.js";

/** True once the version counts as deleted by its expiry. */
export function isExpired(version: Version, nowMs: number): boolean {
  return version.expiresAtMs !== 0 && version.expiresAtMs <= nowMs;
}

function isShown(version: Version, nowMs: number): boolean {
  return version.value.tag !== TAG.tombstone && !isExpired(version, nowMs);
}

/**
 * The versions that a reader can see at `nowMs` (see `Replica.nowMs`), in the order of dots.
 *
 * Under `lww` that is the greatest version if it is plain. If the greatest is a CRDT version, a
 * tombstone or expired, it is the CRDT versions that no write has replaced: an update that is
 * concurrent with a delete survives with its whole state.
 */
export function visibleVersions(
  policy: Policy,
  versions: readonly Version[],
  nowMs: number,
): Version[] {
  const shown = versions.filter((version) => isShown(version, nowMs));
  if (shown.length === 0) return shown;
  if (policy !== "lww") return shown.filter((version) => !isShadowed(versions, version));
  const greatest = greatestOf(versions) as Version;
  if (!isCrdt(greatest.value.tag) && isShown(greatest, nowMs)) return [greatest];
  return shown.filter((version) => isCrdt(version.value.tag));
}

/**
 * What `get` returns: the greatest visible version's value. If that is a CRDT version, the join of
 * all visible versions of its type, as JSON text. `undefined` if nothing is visible.
 */
export function visibleValue(
  policy: Policy,
  versions: readonly Version[],
  nowMs: number,
): TypedValue | undefined {
  const visible = visibleVersions(policy, versions, nowMs);
  const greatest = greatestOf(visible);
  if (!greatest) return undefined;
  const { tag } = greatest.value;
  if (!isCrdt(tag)) return greatest.value;
  return { tag: TAG.json, bytes: crdtJson(joinStates(tag, visible)) };
}

/** An opaque name of what was read: the dots of `versions`, such as `1.3.27+2.1.4`. */
export function versionToken(versions: readonly Version[]): string {
  const only = versions[0];
  if (versions.length === 1 && only) return formatDot(only.dot);
  const dots = versions.map((version) => version.dot).sort(compareDots);
  return dots.map(formatDot).join("+");
}
