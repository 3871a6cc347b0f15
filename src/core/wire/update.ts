import { ByteMap } from "../byte-map.js";
import { varintSize, writeVarint, type ByteReader } from "../codec.js";
import { DOT_BYTES_MIN, dotSize, readDot, writeDot, type Dot } from "../dot.js";
import { isCrdtState } from "../crdt/index.js";
import { ITEM_KEY_BYTES_MAX } from "../rows.js";
import { TRACE_BYTES } from "../trace-context.js";
import type { Update, UpdateEntry } from "../update.js";
import { isCrdt, TAG, type Tag, type TypedValue } from "../value.js";
import { readHlc, requireCommit } from "./vector.js";

const INVOCATION_BYTES = 16;
const HAS_INVOCATION = 1;
/** Only while its write is being recorded. */
const HAS_TRACE = 2;

const TAG_MASK = 0x0f;
const HAS_EXPIRY = 0x10;
const IS_PINNED = 0x40;
const IS_SIBLING = 0x80;

/** Header, key of one byte, count of dots, length of the value. */
const ENTRY_BYTES_MIN = 5;
/** Dot, flags, hybrid time, count of dependencies, count of entries, one entry. */
export const UPDATE_BYTES_MIN = DOT_BYTES_MIN + 4 + ENTRY_BYTES_MIN;

/** The bytes of one update, to be sent to many: see `joinUpdates`. Nothing but them is allocated. */
export function encodeUpdate(update: Update): Uint8Array {
  const bytes = new Uint8Array(updateSize(update));
  let at = writeDot(bytes, 0, update.dot);
  bytes[at++] = (update.invocation ? HAS_INVOCATION : 0) | (update.trace ? HAS_TRACE : 0);
  at = writeVarint(bytes, at, update.hlc);
  if (update.invocation) {
    bytes.set(update.invocation, at);
    at += INVOCATION_BYTES;
  }
  if (update.trace) {
    bytes.set(update.trace, at);
    at += TRACE_BYTES;
  }
  at = writeDots(bytes, at, update.deps);
  at = writeVarint(bytes, at, update.entries.length);
  for (const entry of update.entries) at = writeEntry(bytes, at, entry);
  return bytes;
}

/** Reads what {@link encodeUpdate} wrote. */
export function readUpdate(reader: ByteReader): Update {
  const dot = requireCommit(reader, readDot(reader));
  const flags = reader.byte();
  reader.require(flags <= (HAS_INVOCATION | HAS_TRACE), "an update has unknown flags");
  const hlc = readHlc(reader);
  const invocation = flags & HAS_INVOCATION ? reader.take(INVOCATION_BYTES) : undefined;
  const trace = flags & HAS_TRACE ? reader.take(TRACE_BYTES) : undefined;
  const deps = reader.list(DOT_BYTES_MIN, readDot);
  const entries = reader.list(ENTRY_BYTES_MIN, readEntry);
  reader.require(entries.length > 0, "an update has no entry");
  reader.require(entries.length === 1 || areKeysDistinct(entries), "an update writes a key twice");
  return { dot, hlc, deps, invocation, trace, entries };
}

/** Checks the bytes of a value that only a reader of the core would find wrong. */
export function requireValue(reader: ByteReader, value: TypedValue): void {
  if (value.tag === TAG.tombstone)
    reader.require(value.bytes.length === 0, "a tombstone has bytes");
  if (isCrdt(value.tag)) reader.require(isCrdtState(value), "the state of a CRDT value is broken");
}

/** Reads an item key. */
export function readItemKey(reader: ByteReader): Uint8Array {
  const sizeBytes = reader.varint();
  const isValid = sizeBytes > 0 && sizeBytes <= ITEM_KEY_BYTES_MAX;
  reader.require(isValid, "a key is empty or too long");
  return reader.take(sizeBytes);
}

/** True if no two of `entries` have the same key. */
export function areKeysDistinct(entries: readonly { readonly key: Uint8Array }[]): boolean {
  const seen = new ByteMap<true>();
  for (const { key } of entries) seen.set(key, true);
  return seen.size === entries.length;
}

function updateSize({ dot, hlc, deps, invocation, trace, entries }: Update): number {
  let size = dotSize(dot) + 1 + varintSize(hlc) + dotsSize(deps) + varintSize(entries.length);
  if (invocation) size += INVOCATION_BYTES;
  if (trace) size += TRACE_BYTES;
  for (const { key, value, expiresAtMs, replaces } of entries) {
    size += 1 + varintSize(key.length) + key.length + dotsSize(replaces);
    size += varintSize(value.bytes.length) + value.bytes.length;
    if (expiresAtMs !== 0) size += varintSize(expiresAtMs);
  }
  return size;
}

function writeEntry(bytes: Uint8Array, offset: number, entry: UpdateEntry): number {
  const { key, value, expiresAtMs, replaces, isPinned, isSibling } = entry;
  let header: number = value.tag;
  if (expiresAtMs !== 0) header |= HAS_EXPIRY;
  if (isPinned) header |= IS_PINNED;
  if (isSibling) header |= IS_SIBLING;
  bytes[offset] = header;
  let at = writeVarint(bytes, offset + 1, key.length);
  bytes.set(key, at);
  at += key.length;
  if (expiresAtMs !== 0) at = writeVarint(bytes, at, expiresAtMs);
  at = writeDots(bytes, at, replaces);
  at = writeVarint(bytes, at, value.bytes.length);
  bytes.set(value.bytes, at);
  return at + value.bytes.length;
}

function readEntry(reader: ByteReader): UpdateEntry {
  const header = reader.byte();
  const tag = header & TAG_MASK;
  const isKnown =
    (header & ~(TAG_MASK | HAS_EXPIRY | IS_PINNED | IS_SIBLING)) === 0 && tag <= TAG.map;
  reader.require(isKnown, "an entry has an unknown type");
  const key = readItemKey(reader);
  const expiresAtMs = header & HAS_EXPIRY ? reader.varint() : 0;
  reader.require(expiresAtMs > 0 || (header & HAS_EXPIRY) === 0, "an expiry of 0 is no expiry");
  const replaces = reader.list(DOT_BYTES_MIN, readDot);
  const value = { tag: tag as Tag, bytes: reader.take(reader.varint()) };
  requireValue(reader, value);
  const isPinned = (header & IS_PINNED) !== 0;
  if ((header & IS_SIBLING) === 0) return { key, value, expiresAtMs, replaces, isPinned };
  reader.require(isPinned, "a sibling is not pinned");
  return { key, value, expiresAtMs, replaces, isPinned, isSibling: true };
}

function dotsSize(dots: readonly Dot[]): number {
  let size = varintSize(dots.length);
  for (const dot of dots) size += dotSize(dot);
  return size;
}

function writeDots(bytes: Uint8Array, offset: number, dots: readonly Dot[]): number {
  let at = writeVarint(bytes, offset, dots.length);
  for (const dot of dots) at = writeDot(bytes, at, dot);
  return at;
}
