import { formatDot, parseDot, type Dot } from "../../core/dot.js";
import { ROW_PREFIX } from "../../core/rows.js";
import type { Tag, TypedValue } from "../../core/value.js";

/**
 * What waits to be told at a replica, among its keygroup's local rows (`docs/internals/storage-format.md`):
 * `p t <trigger> q <place>` a change, `p t <trigger> k <key>` the place of the key's newest one,
 * `p t <trigger> m` for which replica all changes are there.
 */
const KIND = 0x74;
const PART = { change: 0x71, key: 0x6b, marker: 0x6d } as const;
const ID_BYTES = 8;
const PLACE_BYTES = 6;
const HEAD_BYTES = 2 + ID_BYTES + 1;

/** A change of a key that has not been handled here. */
export interface PendingChange {
  readonly key: string;
  /** What was shown before; `undefined` = nothing, or nobody knows. */
  readonly old: TypedValue | undefined;
  /** The old value was too large to keep. */
  readonly isOldLeftOut: boolean;
  /** The commits whose versions were shown when it was noted. */
  readonly dots: readonly Dot[];
  /** The invocation that handles it; `undefined` = it was not sent. */
  readonly sent: string | undefined;
}

/** The replica that a trigger's rows are complete for. */
export interface PendingMarker {
  readonly generation: number;
  readonly epoch: number;
}

/** Bounds of all rows of all triggers. */
export const TRIGGER_ROWS = {
  start: Buffer.of(ROW_PREFIX.local, KIND),
  end: Buffer.of(ROW_PREFIX.local, KIND + 1),
} as const;

/** The id of the trigger that a row belongs to. */
export function triggerOfRow(rowKey: Uint8Array): string {
  return Buffer.from(rowKey).toString("hex", 2, 2 + ID_BYTES);
}

/** Bounds of all rows of one trigger. */
export function rowsOfTrigger(id: string): { start: Buffer; end: Buffer } {
  const start = head(id, 0).subarray(0, HEAD_BYTES - 1);
  return { start, end: Buffer.concat([start, Buffer.of(0xff)]) };
}

/** Bounds of the changes of a trigger from a place on. */
export function changesFrom(id: string, place: number): { start: Buffer; end: Buffer } {
  return { start: changeRowKey(id, place), end: head(id, PART.change + 1) };
}

export function changeRowKey(id: string, place: number): Buffer {
  const bytes = Buffer.alloc(PLACE_BYTES);
  bytes.writeUIntBE(place, 0, PLACE_BYTES);
  return Buffer.concat([head(id, PART.change), bytes]);
}

/** The place in the key of a change's row. */
export function placeOf(rowKey: Uint8Array): number {
  return Buffer.from(rowKey).readUIntBE(HEAD_BYTES, PLACE_BYTES);
}

/** The row that leads from a key to the place of its newest change. */
export function keyRowKey(id: string, key: string): Buffer {
  return Buffer.concat([head(id, PART.key), Buffer.from(key, "utf8")]);
}

export function encodePlace(place: number): Buffer {
  const bytes = Buffer.alloc(PLACE_BYTES);
  bytes.writeUIntBE(place, 0, PLACE_BYTES);
  return bytes;
}

export function decodePlace(row: Uint8Array): number {
  return Buffer.from(row).readUIntBE(0, PLACE_BYTES);
}

export function markerRowKey(id: string): Buffer {
  return head(id, PART.marker);
}

export function encodeMarker({ generation, epoch }: PendingMarker): Buffer {
  return Buffer.from(JSON.stringify({ generation, epoch }), "utf8");
}

export function decodeMarker(row: Uint8Array): PendingMarker {
  return JSON.parse(Buffer.from(row).toString("utf8")) as PendingMarker;
}

export function encodePending({ key, old, isOldLeftOut, dots, sent }: PendingChange): Buffer {
  const row = {
    key,
    ...(old && { old: { tag: old.tag, bytes: Buffer.from(old.bytes).toString("base64") } }),
    ...(isOldLeftOut && { isOldLeftOut }),
    dots: dots.map(formatDot),
    ...(sent !== undefined && { sent }),
  };
  return Buffer.from(JSON.stringify(row), "utf8");
}

export function decodePending(row: Uint8Array): PendingChange {
  const { key, old, isOldLeftOut, dots, sent } = JSON.parse(
    Buffer.from(row).toString("utf8"),
  ) as StoredChange;
  return {
    key,
    old: old && { tag: old.tag as Tag, bytes: Buffer.from(old.bytes, "base64") },
    isOldLeftOut: isOldLeftOut === true,
    dots: dots.flatMap((text) => parseDot(text) ?? []),
    sent,
  };
}

interface StoredChange {
  readonly key: string;
  readonly old?: { readonly tag: number; readonly bytes: string };
  readonly isOldLeftOut?: boolean;
  readonly dots: readonly string[];
  readonly sent?: string;
}

function head(id: string, part: number): Buffer {
  return Buffer.concat([
    Buffer.of(ROW_PREFIX.local, KIND),
    Buffer.from(id, "hex"),
    Buffer.of(part),
  ]);
}
