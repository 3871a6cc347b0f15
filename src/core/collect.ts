import type { Dot } from "./dot.js";
import type { ItemChanges } from "./item-changes.js";
import type { Version } from "./item.js";
import { greatestOf, isShadowed } from "./live-set.js";
import {
  expiryEnd,
  parseDotRow,
  parseExpiryRow,
  ROW_PREFIX,
  successor,
  type RowRange,
  type RowReader,
} from "./rows.js";
import { isCrdt, TAG } from "./value.js";
import { isExpired } from "./visible.js";

/** What decides whether a version may go. */
export interface CollectTerms {
  readonly nowMs: number;
  /** True when every member has the dot on stable storage. */
  readonly isStable: (dot: Dot) => boolean;
}

/**
 * Looks through the rows that list garbage and expired versions, a bounded part at a time, and goes
 * on where it stopped, so that rows which must wait never hide those behind them.
 */
export class Collector {
  #garbageStart: Uint8Array = GARBAGE_START;
  #expiryStart: Uint8Array = EXPIRY_START;

  /** Takes what may go out of `changes`, after at most `limit` rows of each kind; returns its dots. */
  collect(reader: RowReader, changes: ItemChanges, terms: CollectTerms, limit: number): Dot[] {
    const collected: Dot[] = [];
    const garbage = { start: this.#garbageStart, end: GARBAGE_END, limit };
    this.#garbageStart = forEachRow(reader, garbage, GARBAGE_START, (rowKey) => {
      collectKey(changes, parseDotRow(rowKey).key, terms, collected);
    });
    const expired = { start: this.#expiryStart, end: expiryEnd(terms.nowMs), limit };
    this.#expiryStart = forEachRow(reader, expired, EXPIRY_START, (rowKey) => {
      collectKey(changes, parseExpiryRow(rowKey).key, terms, collected);
    });
    return collected;
  }
}

/**
 * True if some row lists garbage or an expired version or belongs to a catch-up, which may have
 * broken off, so that a collection may find something.
 */
export function hasGarbage(reader: RowReader, nowMs: number): boolean {
  const staged = reader.range({ start: STAGING_START, end: STAGING_END, limit: 1 });
  if (staged.length > 0) return true;
  const garbage = reader.range({ start: GARBAGE_START, end: GARBAGE_END, limit: 1 });
  if (garbage.length > 0) return true;
  return reader.range({ start: EXPIRY_START, end: expiryEnd(nowMs), limit: 1 }).length > 0;
}

const GARBAGE_START = Uint8Array.of(ROW_PREFIX.garbage);
const GARBAGE_END = Uint8Array.of(ROW_PREFIX.garbage + 1);
const STAGING_START = Uint8Array.of(ROW_PREFIX.staging);
const STAGING_END = Uint8Array.of(ROW_PREFIX.staging + 1);
const EXPIRY_START = Uint8Array.of(ROW_PREFIX.expiry);

function forEachRow(
  reader: RowReader,
  range: RowRange & { readonly limit: number },
  restart: Uint8Array,
  visit: (rowKey: Uint8Array) => void,
): Uint8Array {
  const rows = reader.range(range);
  for (const row of rows) visit(row.key);
  const last = rows.at(-1);
  return last && rows.length >= range.limit ? successor(last.key) : restart;
}

function collectKey(
  changes: ItemChanges,
  key: Uint8Array,
  terms: CollectTerms,
  collected: Dot[],
): void {
  for (;;) {
    const live = changes.get(key);
    const victim = live.find(
      (version) => terms.isStable(version.dot) && isCollectable(live, version, terms),
    );
    if (!victim) return;
    changes.set(
      key,
      live.filter((version) => version !== victim),
    );
    collected.push(victim.dot);
  }
}

/**
 * A shadowed version may go; so may a tombstone or an expired version, but not while it is the
 * greatest and hides a plain one, which would rise again, be it only at a member under `lww`.
 */
function isCollectable(live: readonly Version[], version: Version, terms: CollectTerms): boolean {
  if (isShadowed(live, version)) return true;
  if (version.value.tag !== TAG.tombstone && !isExpired(version, terms.nowMs)) return false;
  if (greatestOf(live) !== version) return true;
  return live.every((other) => other === version || isCrdt(other.value.tag));
}
