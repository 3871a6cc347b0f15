import { refuseHeavyJson } from "../core/json-bounds.js";
import { FRAME, ON_STALE, OPERATION, SCAN_FLAG, SET_FLAG } from "./frames.js";
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

/** True for a `set` under no condition. */
export function isPlainSet(payload: Buffer): boolean {
  if (operationKind(payload) !== OPERATION.set) return false;
  const flags = payload[OPERATION_HEADER_BYTES] ?? 0;
  return (flags & (SET_FLAG.ifVersion | SET_FLAG.ifAbsent)) === 0;
}

/** What a read does when the data here are too stale; see `docs/reference/kv.md`. */
export type OnStale = keyof typeof ON_STALE;

/** How fresh the data of a read have to be. Times are at most {@link FRESH_MS_MAX}. */
export interface Fresh {
  readonly maxStalenessMs: number;
  readonly onStale: OnStale;
  /** How long may be waited or asked around. */
  readonly withinMs: number;
}

/** A read that is to be fresh, as it was received. */
export interface FreshRead extends Fresh {
  /** Payload of the OPERATION that reads; not copied. */
  readonly read: Buffer;
}

/** What a u32 holds, some 49 days. */
export const FRESH_MS_MAX = 2 ** 32 - 1;

/** u8 what to do, u32 most staleness, u32 how long. */
const FRESH_BYTES = 9;

const READS: ReadonlySet<number> = new Set([
  OPERATION.get,
  OPERATION.entry,
  OPERATION.exists,
  OPERATION.getMany,
  OPERATION.scan,
]);

/** Where an operation comes from and belongs: the call that asks, and another keygroup, if it is one. */
export type OperationScope = number | { readonly callId: number; readonly keygroup: string };

/** The call of a scope; 0 outside a call. */
export function callIdOf(scope: OperationScope): number {
  return typeof scope === "number" ? scope : scope.callId;
}

/** An operation on another keygroup than that of the function, as it was received. */
export interface OperationWithin {
  /** As it was named, unchecked. */
  readonly keygroup: string;
  /** Payload of the OPERATION on it; not copied. */
  readonly operation: Buffer;
}

/** Reads a `within`. @throws ChannelError for one in another */
export function decodeWithin(payload: Buffer): OperationWithin {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const keygroup = reader.text();
  const operation = reader.rest();
  expectProtocol(operationKind(operation) !== OPERATION.within, "a keygroup within another");
  return { keygroup, operation };
}

/**
 * Begins an operation; one on another keygroup lies inside one that names it, and a read that is to
 * be fresh inside one that says so.
 */
export function beginOperation(
  writer: FrameWriter,
  id: number,
  scope: OperationScope,
  kind: number,
  fresh?: Fresh,
): void {
  const callId = callIdOf(scope);
  writer.begin(FRAME.operation, id);
  writer.u32(callId);
  if (typeof scope !== "number") {
    writer.u8(OPERATION.within);
    writer.text(scope.keygroup);
    writer.u32(callId);
  }
  if (fresh) {
    writer.u8(OPERATION.fresh);
    writer.u8(ON_STALE[fresh.onStale]);
    writer.u32(fresh.maxStalenessMs);
    writer.u32(fresh.withinMs);
    writer.u32(callId);
  }
  writer.u8(kind);
}

/** Reads a `fresh`. @throws ChannelError for anything but a read in it */
export function decodeFresh(payload: Buffer): FreshRead {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const [number, maxStalenessMs, withinMs] = [reader.u8(), reader.u32(), reader.u32()];
  const onStale = (Object.keys(ON_STALE) as OnStale[]).find((name) => ON_STALE[name] === number);
  const read = payload.subarray(OPERATION_HEADER_BYTES + FRESH_BYTES);
  expectProtocol(onStale !== undefined && READS.has(operationKind(read)), "no read that is fresh");
  return { maxStalenessMs, onStale, withinMs, read };
}

/** The same read, which fails at once where the data are too stale: to ask one replica after the other. */
export function failingIfStale(payload: Buffer): Buffer {
  const copy = Buffer.from(payload);
  copy[OPERATION_HEADER_BYTES] = ON_STALE.fail;
  return copy;
}

/** Writes a key with its size. */
export function writeKey(writer: FrameWriter, key: TextOrBytes): void {
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
  scope: OperationScope,
  kind: number,
  key: TextOrBytes,
  fresh?: Fresh,
): void {
  beginOperation(writer, id, scope, kind, fresh);
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
  scope: OperationScope,
  request: SetOperation,
): void {
  const { ifVersion, ttlMs } = request;
  beginOperation(writer, id, scope, OPERATION.set);
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
  scope: OperationScope,
  keys: readonly TextOrBytes[],
  fresh?: Fresh,
): void {
  if (keys.length > 0xffff) throw new ChannelError("more than 65,535 keys");
  beginOperation(writer, id, scope, OPERATION.getMany, fresh);
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
  scope: OperationScope,
  page: ScanOperation,
  fresh?: Fresh,
): void {
  beginOperation(writer, id, scope, OPERATION.scan, fresh);
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
  scope: OperationScope,
  request: unknown,
): void {
  beginOperation(writer, id, scope, OPERATION.json);
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
