import { refuseHeavyJson } from "../core/json-bounds.js";
import { FRAME, OPERATION, SCAN_FLAG, SET_FLAG } from "./frames.js";
import type { FrameWriter } from "./frame-writer.js";
import { ChannelError, expectProtocol, PayloadReader, readU16, readU32 } from "./payload.js";

/** Size of what stands in front of an operation's own payload: u32 call id, u8 operation. */
export const OPERATION_HEADER_BYTES = 5;

/** Keys and versions are text to a function, bytes to a store; both may be written. */
export type TextOrBytes = string | Uint8Array;

/** The call that an OPERATION belongs to; 0 outside a call. */
export function operationCallId(payload: Buffer): number {
  expectProtocol(payload.length >= OPERATION_HEADER_BYTES, "OPERATION is too short");
  return readU32(payload, 0);
}

/** One of the numbers in `OPERATION`, unchecked. */
export function operationKind(payload: Buffer): number {
  expectProtocol(payload.length >= OPERATION_HEADER_BYTES, "OPERATION is too short");
  return payload[4] as number;
}

function beginOperation(writer: FrameWriter, id: number, callId: number, kind: number): void {
  writer.begin(FRAME.operation, id);
  writer.u32(callId);
  writer.u8(kind);
}

function writeKey(writer: FrameWriter, key: TextOrBytes): void {
  if (typeof key === "string") writer.text(key);
  else writer.block(key);
}

function writeRest(writer: FrameWriter, bytes: TextOrBytes): void {
  if (typeof bytes === "string") writer.utf8(bytes);
  else writer.bytes(bytes);
}

/** Writes `get`, `entry`, `delete` or `exists`: one key. */
export function encodeKeyOperation(
  writer: FrameWriter,
  id: number,
  callId: number,
  kind: number,
  key: TextOrBytes,
): void {
  beginOperation(writer, id, callId, kind);
  writeKey(writer, key);
  writer.end();
}

/** Reads the key of such an operation, not copied. */
export function decodeKeyOperation(payload: Buffer): Buffer {
  const keyAt = OPERATION_HEADER_BYTES + 2;
  expectProtocol(payload.length >= keyAt, "an operation is too short");
  const sizeBytes = readU16(payload, OPERATION_HEADER_BYTES);
  expectProtocol(payload.length === keyAt + sizeBytes, "an operation has the wrong length");
  return payload.subarray(keyAt);
}

/** A `set`: at most one condition. */
export interface SetOperation {
  readonly key: TextOrBytes;
  readonly tag: number;
  /** Text is written as UTF-8. */
  readonly value: TextOrBytes;
  readonly ifVersion?: string | undefined;
  readonly ifAbsent?: boolean | undefined;
  readonly ttlMs?: number | undefined;
}

/** A `set` as it was received; key and value are not copied. */
export interface SetRequest {
  readonly key: Buffer;
  readonly tag: number;
  readonly value: Buffer;
  readonly ifVersion: string | undefined;
  readonly ifAbsent: boolean;
  readonly ttlMs: number | undefined;
}

/** Writes a `set`. */
export function encodeSet(
  writer: FrameWriter,
  id: number,
  callId: number,
  request: SetOperation,
): void {
  const { ifVersion, ttlMs } = request;
  beginOperation(writer, id, callId, OPERATION.set);
  writer.u8(
    (ifVersion === undefined ? 0 : SET_FLAG.ifVersion) |
      (request.ifAbsent === true ? SET_FLAG.ifAbsent : 0) |
      (ttlMs === undefined ? 0 : SET_FLAG.ttl),
  );
  writeKey(writer, request.key);
  if (ifVersion !== undefined) writer.text(ifVersion);
  if (ttlMs !== undefined) writer.f64(ttlMs);
  writer.u8(request.tag);
  writeRest(writer, request.value);
  writer.end();
}

/** Reads a `set`. */
export function decodeSet(payload: Buffer): SetRequest {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const flags = reader.u8();
  return {
    key: reader.block(),
    ifVersion: flags & SET_FLAG.ifVersion ? reader.text() : undefined,
    ifAbsent: (flags & SET_FLAG.ifAbsent) !== 0,
    ttlMs: flags & SET_FLAG.ttl ? reader.f64() : undefined,
    tag: reader.u8(),
    value: reader.rest(),
  };
}

/** Writes a `getMany`; at most 65,535 keys. */
export function encodeGetMany(
  writer: FrameWriter,
  id: number,
  callId: number,
  keys: readonly TextOrBytes[],
): void {
  if (keys.length > 0xffff) throw new ChannelError("more than 65,535 keys");
  beginOperation(writer, id, callId, OPERATION.getMany);
  writer.u16(keys.length);
  for (const key of keys) writeKey(writer, key);
  writer.end();
}

/** Reads the keys of a `getMany`, not copied. */
export function decodeGetMany(payload: Buffer): Buffer[] {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const count = reader.u16();
  const keys: Buffer[] = [];
  for (let i = 0; i < count; i++) keys.push(reader.block());
  reader.end();
  return keys;
}

/** One page of a `scan`. `after` makes `start` exclusive (below it in reverse). */
export interface ScanOperation<Key = TextOrBytes> {
  readonly start: Key;
  readonly end?: Key | undefined;
  readonly prefix?: Key | undefined;
  /** 0: as many as a page holds. */
  readonly limit: number;
  readonly keysOnly: boolean;
  readonly reverse: boolean;
  readonly after: boolean;
}

/** Writes a `scan`. */
export function encodeScan(
  writer: FrameWriter,
  id: number,
  callId: number,
  page: ScanOperation,
): void {
  beginOperation(writer, id, callId, OPERATION.scan);
  writer.u8(
    (page.keysOnly ? SCAN_FLAG.keysOnly : 0) |
      (page.reverse ? SCAN_FLAG.reverse : 0) |
      (page.end === undefined ? 0 : SCAN_FLAG.end) |
      (page.prefix === undefined ? 0 : SCAN_FLAG.prefix) |
      (page.after ? SCAN_FLAG.after : 0),
  );
  writer.u32(page.limit);
  writeKey(writer, page.start);
  if (page.end !== undefined) writeKey(writer, page.end);
  if (page.prefix !== undefined) writeKey(writer, page.prefix);
  writer.end();
}

/** Reads a `scan`; its keys are not copied. */
export function decodeScan(payload: Buffer): ScanOperation<Buffer> {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const flags = reader.u8();
  const limit = reader.u32();
  const start = reader.block();
  const end = flags & SCAN_FLAG.end ? reader.block() : undefined;
  const prefix = flags & SCAN_FLAG.prefix ? reader.block() : undefined;
  reader.end();
  return {
    start,
    end,
    prefix,
    limit,
    keysOnly: (flags & SCAN_FLAG.keysOnly) !== 0,
    reverse: (flags & SCAN_FLAG.reverse) !== 0,
    after: (flags & SCAN_FLAG.after) !== 0,
  };
}

/** Writes an operation that is JSON. */
export function encodeJsonOperation(
  writer: FrameWriter,
  id: number,
  callId: number,
  request: unknown,
): void {
  beginOperation(writer, id, callId, OPERATION.json);
  writer.utf8(JSON.stringify(request));
  writer.end();
}

/** Reads an operation that is JSON. @throws ChannelError if it is no JSON object */
export function decodeJsonOperation(payload: Buffer): Readonly<Record<string, unknown>> {
  refuseHeavyJson(payload, OPERATION_HEADER_BYTES);
  return parseJsonObject(payload, OPERATION_HEADER_BYTES);
}

/** Parses a JSON object that starts at `at`. @throws ChannelError if there is none */
export function parseJsonObject(payload: Buffer, at: number): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(payload.toString("utf8", at));
  } catch {
    throw new ChannelError("a payload is not JSON");
  }
  expectProtocol(typeof json === "object" && json !== null, "a payload is not a JSON object");
  return json as Record<string, unknown>;
}
