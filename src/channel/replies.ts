import { FRAME, REPLY_STATUS } from "./frames.js";
import type { FrameWriter } from "./frame-writer.js";
import { parseJsonObject } from "./operations.js";
import { expectProtocol, PayloadReader } from "./payload.js";

/** Where an operation's own reply starts: behind the status. */
export const REPLY_AT = 1;

/** A value of any tag that a reader may see; its bytes are a view. */
export interface ValueView {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/** What `entry` answers. */
export interface EntryView<Bytes extends Uint8Array = Uint8Array> {
  readonly version: string;
  /** Milliseconds since 1970; 0 = never. */
  readonly expiresAtMs: number;
  readonly tag: number;
  readonly bytes: Bytes;
}

/** One page of a scan; `values` is empty when only keys were asked for. */
export interface ScanPage<Key = Uint8Array> {
  readonly more: boolean;
  readonly keys: readonly Key[];
  readonly values: readonly ValueView[];
}

/** Begins the reply to an operation that was done. */
export function beginReply(writer: FrameWriter, id: number): void {
  writer.begin(FRAME.reply, id);
  writer.u8(REPLY_STATUS.ok);
}

/** Refuses an operation: `code` becomes the code of the error that the function sees. */
export function encodeErrorReply(
  writer: FrameWriter,
  id: number,
  error: { readonly code: string; readonly message: string; readonly [extra: string]: unknown },
): void {
  writer.begin(FRAME.reply, id);
  writer.u8(REPLY_STATUS.error);
  writer.utf8(JSON.stringify(error));
  writer.end();
}

/** True if the operation was refused; see {@link decodeErrorReply}. */
export function isErrorReply(payload: Buffer): boolean {
  expectProtocol(payload.length > 0, "REPLY is empty");
  return payload[0] !== REPLY_STATUS.ok;
}

/** Why the operation was refused. */
export function decodeErrorReply(payload: Buffer): Readonly<Record<string, unknown>> {
  return parseJsonObject(payload, REPLY_AT);
}

/** Answers `get`; without a value: not found. */
export function encodeGetReply(
  writer: FrameWriter,
  id: number,
  value: ValueView | undefined,
): void {
  beginReply(writer, id);
  if (value) {
    writer.u8(1);
    writer.u8(value.tag);
    writer.bytes(value.bytes);
  } else {
    writer.u8(0);
  }
  writer.end();
}

/** Makes something of a value that lies in `payload` between `from` and `to`. */
export type ValueDecoder<T> = (tag: number, payload: Buffer, from: number, to: number) => T;

/** Reads the reply to `get`: what `decode` makes of the value, or `missing`. */
export function decodeGetReply<T, M>(payload: Buffer, decode: ValueDecoder<T>, missing: M): T | M {
  expectProtocol(payload.length >= REPLY_AT + 1, "a reply is too short");
  if (payload[REPLY_AT] === 0) return missing;
  expectProtocol(payload.length >= REPLY_AT + 2, "a reply is too short");
  return decode(payload[REPLY_AT + 1] as number, payload, REPLY_AT + 2, payload.length);
}

/** Answers `entry`; without one: not found. */
export function encodeEntryReply(
  writer: FrameWriter,
  id: number,
  entry: EntryView | undefined,
): void {
  beginReply(writer, id);
  if (entry) {
    writer.u8(1);
    writer.text(entry.version);
    writer.f64(entry.expiresAtMs);
    writer.u8(entry.tag);
    writer.bytes(entry.bytes);
  } else {
    writer.u8(0);
  }
  writer.end();
}

/** Reads the reply to `entry`; the bytes are not copied. */
export function decodeEntryReply(payload: Buffer): EntryView<Buffer> | undefined {
  const reader = new PayloadReader(payload, REPLY_AT);
  if (reader.u8() === 0) return undefined;
  return {
    version: reader.text(),
    expiresAtMs: reader.f64(),
    tag: reader.u8(),
    bytes: reader.rest(),
  };
}

/** Answers `set` with the new version. */
export function encodeSetReply(writer: FrameWriter, id: number, version: string): void {
  beginReply(writer, id);
  writer.utf8(version);
  writer.end();
}

/** Reads the reply to `set`: the new version. */
export function decodeSetReply(payload: Buffer): string {
  return payload.toString("utf8", REPLY_AT);
}

/** Answers `delete` or `exists`. */
export function encodeFlagReply(writer: FrameWriter, id: number, flag: boolean): void {
  beginReply(writer, id);
  writer.u8(flag ? 1 : 0);
  writer.end();
}

/** Reads the reply to `delete` or `exists`. */
export function decodeFlagReply(payload: Buffer): boolean {
  expectProtocol(payload.length === 2, "a reply has the wrong length");
  return payload[REPLY_AT] !== 0;
}

function writeValue(writer: FrameWriter, value: ValueView): void {
  writer.u8(value.tag);
  writer.u32(value.bytes.length);
  writer.bytes(value.bytes);
}

function readValue(reader: PayloadReader): { tag: number; bytes: Buffer } {
  const tag = reader.u8();
  return { tag, bytes: reader.bytes(reader.u32()) };
}

/** Answers `getMany`, in the order of its keys. */
export function encodeGetManyReply(
  writer: FrameWriter,
  id: number,
  values: readonly (ValueView | undefined)[],
): void {
  beginReply(writer, id);
  for (const value of values) {
    writer.u8(value ? 1 : 0);
    if (value) writeValue(writer, value);
  }
  writer.end();
}

/** Reads the reply to `getMany` of `count` keys; the bytes are not copied. */
export function decodeGetManyReply(
  payload: Buffer,
  count: number,
): ({ readonly tag: number; readonly bytes: Buffer } | undefined)[] {
  const reader = new PayloadReader(payload, REPLY_AT);
  const values = [];
  for (let i = 0; i < count; i++) values.push(reader.u8() === 0 ? undefined : readValue(reader));
  reader.end();
  return values;
}

/** Answers `scan`. `page.values` is left out when only keys were asked for. */
export function encodeScanReply(
  writer: FrameWriter,
  id: number,
  page: ScanPage,
  keysOnly: boolean,
): void {
  beginReply(writer, id);
  writer.u8(page.more ? 1 : 0);
  writer.u32(page.keys.length);
  for (let i = 0; i < page.keys.length; i++) {
    writer.block(page.keys[i] as Uint8Array);
    if (!keysOnly) writeValue(writer, page.values[i] as ValueView);
  }
  writer.end();
}

/** Reads the reply to `scan`: its keys, and what `decode` makes of their values. */
export function decodeScanReply<T>(
  payload: Buffer,
  keysOnly: boolean,
  decode: ValueDecoder<T>,
): { readonly more: boolean; readonly keys: string[]; readonly values: T[] } {
  const reader = new PayloadReader(payload, REPLY_AT);
  const more = reader.u8() !== 0;
  const count = reader.u32();
  const keys: string[] = [];
  const values: T[] = [];
  for (let i = 0; i < count; i++) {
    keys.push(reader.text());
    if (keysOnly) continue;
    const tag = reader.u8();
    const sizeBytes = reader.u32();
    const from = reader.skip(sizeBytes);
    values.push(decode(tag, payload, from, from + sizeBytes));
  }
  reader.end();
  return { more, keys, values };
}

/** Answers a JSON operation. */
export function encodeJsonReply(writer: FrameWriter, id: number, reply: unknown): void {
  beginReply(writer, id);
  writer.utf8(JSON.stringify(reply));
  writer.end();
}

/** Reads the reply to a JSON operation. */
export function decodeJsonReply(payload: Buffer): Readonly<Record<string, unknown>> {
  return parseJsonObject(payload, REPLY_AT);
}
