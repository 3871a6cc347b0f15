import { takeBytes, cutBytes } from "../base/byte-room.js";
import { assert } from "../base/assert.js";
import { ByteReader, varintSize, writeVarint } from "./codec.js";
import { compareDots, dotSize, readDot, writeDot, type Dot } from "./dot.js";
import { TAG, type Tag, type TypedValue } from "./value.js";

/** One stored version of a key: a value or a tombstone, and where it came from. */
export interface Version {
  readonly dot: Dot;
  readonly hlc: number;
  /** The tag `tombstone` means that the key was deleted. */
  readonly value: TypedValue;
  /** Absolute time of expiry; 0 = never. */
  readonly expiresAtMs: number;
  /** The 16 bytes of the id of the invocation that wrote it. */
  readonly invocation: Uint8Array | undefined;
  /**
   * Stays until a later version names it in `replaces`, even where a greater version wins: whatever is
   * written under `siblings` and `merge`; under `lww` the CRDT types, and plain versions that replaced
   * a pinned one (see `live-set.ts`).
   */
  readonly isPinned: boolean;
  /** Written under `siblings` or `merge`: readers there see it until it is replaced. Pinned, too. */
  readonly isSibling?: boolean;
}

/** Size of an invocation id. */
const INVOCATION_BYTES = 16;

const TAG_MASK = 0x0f;
const HAS_EXPIRY = 0x10;
const HAS_INVOCATION = 0x20;
const IS_PINNED = 0x40;
const IS_SIBLING = 0x80;

const EMPTY = new Uint8Array(0);

/** What a deleted key holds. */
export const TOMBSTONE: TypedValue = { tag: TAG.tombstone, bytes: EMPTY };

/** Orders versions by (hlc, origin, counter): the greatest wins under `lww`. */
export function compareVersions(left: Version, right: Version): number {
  return left.hlc - right.hlc || compareDots(left.dot, right.dot);
}

/** The dots of `versions`, in the same order. */
export function dotsOf(versions: readonly Version[]): Dot[] {
  return versions.map((version) => version.dot);
}

/** Bytes that {@link writeVersion} takes. */
export function versionSize(version: Version): number {
  const valueBytes = version.value.bytes.length;
  let size =
    1 + dotSize(version.dot) + varintSize(version.hlc) + varintSize(valueBytes) + valueBytes;
  if (version.expiresAtMs !== 0) size += varintSize(version.expiresAtMs);
  if (version.invocation) size += INVOCATION_BYTES;
  return size;
}

/** Writes one version at `offset` and returns the offset behind it. */
function writeVersion(target: Uint8Array, offset: number, version: Version): number {
  const { dot, hlc, value, expiresAtMs, invocation, isPinned, isSibling } = version;
  let header: number = value.tag;
  if (expiresAtMs !== 0) header |= HAS_EXPIRY;
  if (invocation) header |= HAS_INVOCATION;
  if (isPinned) header |= IS_PINNED;
  if (isSibling) header |= IS_SIBLING;
  target[offset] = header;
  let at = writeDot(target, offset + 1, dot);
  at = writeVarint(target, at, hlc);
  if (expiresAtMs !== 0) at = writeVarint(target, at, expiresAtMs);
  if (invocation) {
    assert(invocation.length === INVOCATION_BYTES, "an invocation id has 16 bytes");
    target.set(invocation, at);
    at += INVOCATION_BYTES;
  }
  at = writeVarint(target, at, value.bytes.length);
  target.set(value.bytes, at);
  return at + value.bytes.length;
}

/** Reads what {@link writeVersion} wrote; its bytes are views of the source. */
export function readVersion(reader: ByteReader): Version {
  const header = reader.byte();
  const tag = header & TAG_MASK;
  reader.require(tag <= TAG.map, "an encoded version has an unknown type");
  const isSibling = (header & IS_SIBLING) !== 0;
  reader.require(!isSibling || (header & IS_PINNED) !== 0, "a sibling is not pinned");
  const dot = readDot(reader);
  const hlc = reader.varint();
  const expiresAtMs = header & HAS_EXPIRY ? reader.varint() : 0;
  reader.require(expiresAtMs > 0 || (header & HAS_EXPIRY) === 0, "an expiry of 0 is no expiry");
  const invocation = header & HAS_INVOCATION ? reader.take(INVOCATION_BYTES) : undefined;
  const bytes = reader.take(reader.varint());
  const isPinned = (header & IS_PINNED) !== 0;
  const value = { tag: tag as Tag, bytes };
  return isSibling
    ? { dot, hlc, value, expiresAtMs, invocation, isPinned, isSibling }
    : { dot, hlc, value, expiresAtMs, invocation, isPinned };
}

/** The value of an item row: its live versions, which must be in the order of their dots. */
export function encodeItem(versions: readonly Version[]): Uint8Array {
  let size = 0;
  for (const version of versions) size += versionSize(version);
  const bytes = takeBytes(size);
  let offset = 0;
  for (const version of versions) offset = writeVersion(bytes, offset, version);
  return bytes;
}

/**
 * What {@link decodeItem} and `visibleValue` come to in the usual case, without building anything
 * else: the value of an item row that holds one plain version which has not expired. `undefined`
 * for every other row, which must then be decoded.
 */
export function soleValue(bytes: Uint8Array, nowMs: number): TypedValue | undefined {
  const at = soleValueOffset(bytes, 0, bytes.length, nowMs);
  if (at < 0) return undefined;
  return { tag: soleValueTag(bytes, 0), bytes: cutBytes(bytes, at, bytes.length) };
}

/** The type of a value that {@link soleValueOffset} has found. */
export function soleValueTag(bytes: Uint8Array, from: number): Tag {
  return ((bytes[from] as number) & TAG_MASK) as Tag;
}

/**
 * Where the value of {@link soleValue} begins in a row that lies between `from` and `to`; -1 if there
 * is none. It ends with the row. With `nowMs` = Infinity a row that can expire has none.
 */
export function soleValueOffset(
  bytes: Uint8Array,
  from: number,
  to: number,
  nowMs: number,
): number {
  const header = bytes[from] as number;
  const tag = header & TAG_MASK;
  if (tag < TAG.str || tag > TAG.json) return -1;
  // Skipped: the dot's three numbers and the hybrid time.
  let at = from + 1;
  for (let skipped = 0; skipped < 4; at++) if ((bytes[at] as number) < 0x80) skipped++;
  if (header & HAS_EXPIRY) {
    const reader = new ByteReader(bytes, at);
    if (reader.varint() <= nowMs) return -1;
    at = reader.offset;
  }
  if (header & HAS_INVOCATION) at += INVOCATION_BYTES;
  let sizeBytes = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[at++] as number;
    sizeBytes += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return at + sizeBytes === to ? at : -1;
}

/** Reads an item row; the values are views of `bytes`, nothing is copied. */
export function decodeItem(bytes: Uint8Array): Version[] {
  const reader = new ByteReader(bytes);
  const versions: Version[] = [];
  while (!reader.isAtEnd) versions.push(readVersion(reader));
  return versions;
}
