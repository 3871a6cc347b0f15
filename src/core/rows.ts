import { cutBytes, takeBytes } from "../base/byte-room.js";
import { assert } from "../base/assert.js";
import { ByteReader, orderedSize, writeOrdered } from "./codec.js";
import type { Dot, Origin } from "./dot.js";

/** One stored row. */
export interface RowPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bounds of a range read: `start` inclusive, `end` exclusive. */
export interface RowRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** What the core needs to read: ordered rows of one consistent state. */
export interface RowReader {
  get(key: Uint8Array): Uint8Array | undefined;
  range(options: RowRange): RowPair[];
}

/** One row to put, or to delete if `value` is `undefined`. */
export interface RowWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** The first byte of every row of a keygroup's store. Part of format 1: never change one. */
export const ROW_PREFIX = {
  /** `d` dot, key → nothing: which keys hold a live version with that dot. */
  index: 0x64,
  /** `i` key → live versions. */
  item: 0x69,
  /** `m` name → state of the replica. */
  meta: 0x6d,
  /** `p` … → rows of the node itself, such as its outbox. The core never touches them. */
  local: 0x70,
  /** `s` number, key → a record of a running catch-up. */
  staging: 0x73,
  /** `t` dot, key → nothing: live versions that are tombstones or shadowed, for collection. */
  garbage: 0x74,
  /** `x` time, dot, key → nothing: live versions by expiry, for collection. */
  expiry: 0x78,
} as const;

/** First byte of item keys that the platform keeps for itself; no UTF-8 text begins with it. */
export const INTERNAL_KEY_PREFIX = 0xff;

/** Value of rows that say all in their key. One byte, because not every store keeps empty values. */
export const PRESENT: Uint8Array = Uint8Array.of(1);

/** An item key in bytes: a key of a user, or one of the platform, which may be a little longer. */
export const ITEM_KEY_BYTES_MAX = 1100;

/** The row that holds the live versions of a key. */
export function itemRowKey(key: Uint8Array): Uint8Array {
  assert(key.length > 0 && key.length <= ITEM_KEY_BYTES_MAX, "an item key has 1 to 1,100 bytes");
  const row = takeBytes(1 + key.length);
  row[0] = ROW_PREFIX.item;
  row.set(key, 1);
  return row;
}

/** The item key of an item row, as a view. */
export function itemKeyOf(rowKey: Uint8Array): Uint8Array {
  return cutBytes(rowKey, 1, rowKey.length);
}

/** The rows of all user keys: everything but the platform's own items. `end` is exclusive. */
export const USER_ITEM_ROWS = {
  start: Uint8Array.of(ROW_PREFIX.item),
  end: Uint8Array.of(ROW_PREFIX.item, INTERNAL_KEY_PREFIX),
} as const;

function originSize(origin: Origin): number {
  return orderedSize(origin.epoch) + orderedSize(origin.restart);
}

function writeOrigin(target: Uint8Array, offset: number, origin: Origin): number {
  return writeOrdered(target, writeOrdered(target, offset, origin.epoch), origin.restart);
}

function dotRowKey(prefix: number, dot: Dot, key: Uint8Array): Uint8Array {
  const row = takeBytes(1 + originSize(dot) + orderedSize(dot.counter) + key.length);
  row[0] = prefix;
  row.set(key, writeOrdered(row, writeOrigin(row, 1, dot), dot.counter));
  return row;
}

/** The index row that leads from a dot to one of its keys. */
export function indexRowKey(dot: Dot, key: Uint8Array): Uint8Array {
  return dotRowKey(ROW_PREFIX.index, dot, key);
}

/** The row that lists a tombstone or a shadowed version for collection. */
export function garbageRowKey(dot: Dot, key: Uint8Array): Uint8Array {
  return dotRowKey(ROW_PREFIX.garbage, dot, key);
}

/** The row that lists a version by its expiry. */
export function expiryRowKey(expiresAtMs: number, dot: Dot, key: Uint8Array): Uint8Array {
  const dotBytes = originSize(dot) + orderedSize(dot.counter);
  const row = takeBytes(1 + orderedSize(expiresAtMs) + dotBytes + key.length);
  row[0] = ROW_PREFIX.expiry;
  const afterOrigin = writeOrigin(row, writeOrdered(row, 1, expiresAtMs), dot);
  row.set(key, writeOrdered(row, afterOrigin, dot.counter));
  return row;
}

/** The dot and the key that an index row or a garbage row names. */
export function parseDotRow(rowKey: Uint8Array): { dot: Dot; key: Uint8Array } {
  return readDotAndKey(new ByteReader(rowKey, 1));
}

/** The dot and the key that an expiry row names. */
export function parseExpiryRow(rowKey: Uint8Array): { dot: Dot; key: Uint8Array } {
  const reader = new ByteReader(rowKey, 1);
  reader.ordered();
  return readDotAndKey(reader);
}

function readDotAndKey(reader: ByteReader): { dot: Dot; key: Uint8Array } {
  const dot = { epoch: reader.ordered(), restart: reader.ordered(), counter: reader.ordered() };
  return { dot, key: reader.rest() };
}

/** Where the index rows of an origin with counters from `counter` begin. */
export function indexStart(origin: Origin, counter: number): Uint8Array {
  const { epoch, restart } = origin;
  return indexRowKey({ epoch, restart, counter }, new Uint8Array(0));
}

/** All index rows: `end` is exclusive. */
export const INDEX_ROWS = {
  start: Uint8Array.of(ROW_PREFIX.index),
  end: Uint8Array.of(ROW_PREFIX.index + 1),
} as const;

/** The smallest row key above `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** Where the expiry rows of versions that have expired by `nowMs` end (exclusive). */
export function expiryEnd(nowMs: number): Uint8Array {
  const row = takeBytes(1 + orderedSize(nowMs + 1));
  row[0] = ROW_PREFIX.expiry;
  writeOrdered(row, 1, nowMs + 1);
  return row;
}

/** The row of one staged record of the catch-up with that number. */
export function stagingRowKey(staging: number, key: Uint8Array): Uint8Array {
  const row = takeBytes(1 + orderedSize(staging) + key.length);
  row[0] = ROW_PREFIX.staging;
  row.set(key, writeOrdered(row, 1, staging));
  return row;
}

/** The number and the key that a staging row names. */
export function parseStagingRow(rowKey: Uint8Array): { staging: number; key: Uint8Array } {
  const reader = new ByteReader(rowKey, 1);
  return { staging: reader.ordered(), key: reader.rest() };
}
