import { BATCH_WRITE, OPERATION } from "./frames.js";
import type { FrameWriter } from "./frame-writer.js";
import {
  beginOperation,
  OPERATION_HEADER_BYTES,
  writeKey,
  type OperationScope,
  type TextOrBytes,
} from "./operations.js";
import { ChannelError, expectProtocol, PayloadReader } from "./payload.js";
import { beginReply, REPLY_AT, type ValueView } from "./replies.js";

/** One write of a batch; the bytes of what was received are not copied. */
export type BatchWrite<Key = TextOrBytes, Value extends ValueView = ValueView> =
  | {
      readonly op: "set";
      readonly key: Key;
      readonly value: Value;
      readonly ttlMs?: number | undefined;
    }
  | { readonly op: "delete"; readonly key: Key }
  | { readonly op: "increment"; readonly key: Key; readonly n: number };

/** A batch: all of it takes effect, or none. */
export interface BatchOperation<Key = TextOrBytes, Value extends ValueView = ValueView> {
  /** `version: null` = the key must be absent. */
  readonly checks: readonly { readonly key: Key; readonly version: string | null }[];
  readonly writes: readonly BatchWrite<Key, Value>[];
  readonly sends: readonly {
    readonly function: string;
    readonly data: Value;
    readonly orderKey?: string | undefined;
  }[];
  /** Effect-once key; `null` = none. */
  readonly once: string | null;
}

/** A batch as it was received. */
export type BatchRequest = BatchOperation<Buffer, { readonly tag: number; readonly bytes: Buffer }>;

/** What a batch answers: per write its version, `null` for one that leaves none. */
export interface BatchReply {
  readonly versions: readonly (string | null)[];
  /** True if `once` had been committed before. */
  readonly repeated: boolean;
}

/** Writes a `batch`; at most 65,535 parts of each kind. */
export function encodeBatch(
  writer: FrameWriter,
  id: number,
  scope: OperationScope,
  { checks, writes, sends, once }: BatchOperation,
): void {
  if (Math.max(checks.length, writes.length, sends.length) > 0xffff) {
    throw new ChannelError("more than 65,535 parts");
  }
  beginOperation(writer, id, scope, OPERATION.batch);
  writer.u16(checks.length);
  for (const { key, version } of checks) {
    writeKey(writer, key);
    writeOptional(writer, version ?? undefined);
  }
  writer.u16(writes.length);
  for (const write of writes) writeWrite(writer, write);
  writer.u16(sends.length);
  for (const { function: name, data, orderKey } of sends) {
    writer.text(name);
    writeOptional(writer, orderKey);
    writeValue(writer, data);
  }
  writeOptional(writer, once ?? undefined);
  writer.end();
}

/** Reads a `batch`. @throws ChannelError */
export function decodeBatch(payload: Buffer): BatchRequest {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const checks = readMany(reader, () => ({
    key: reader.block(),
    version: readOptional(reader) ?? null,
  }));
  const writes = readMany(reader, () => readWrite(reader));
  const sends = readMany(reader, () => ({
    function: reader.text(),
    orderKey: readOptional(reader),
    data: readValue(reader),
  }));
  const once = readOptional(reader) ?? null;
  reader.end();
  return { checks, writes, sends, once };
}

/** Answers a `batch`. */
export function encodeBatchReply(
  writer: FrameWriter,
  id: number,
  { versions, repeated }: BatchReply,
): void {
  beginReply(writer, id);
  writer.u8(repeated ? 1 : 0);
  writer.u16(versions.length);
  for (const version of versions) writer.text(version ?? "");
  writer.end();
}

/** Reads the reply to a `batch`. */
export function decodeBatchReply(payload: Buffer): {
  versions: (string | null)[];
  repeated: boolean;
} {
  const reader = new PayloadReader(payload, REPLY_AT);
  const repeated = reader.u8() !== 0;
  const versions = readMany(reader, () => reader.text() || null);
  reader.end();
  return { versions, repeated };
}

function writeWrite(writer: FrameWriter, write: BatchWrite): void {
  switch (write.op) {
    case "set": {
      const { ttlMs } = write;
      writer.u8(ttlMs === undefined ? BATCH_WRITE.set : BATCH_WRITE.setWithTtl);
      writeKey(writer, write.key);
      if (ttlMs !== undefined) writer.f64(ttlMs);
      writeValue(writer, write.value);
      return;
    }
    case "delete":
      writer.u8(BATCH_WRITE.delete);
      writeKey(writer, write.key);
      return;
    case "increment":
      writer.u8(BATCH_WRITE.increment);
      writeKey(writer, write.key);
      writer.f64(write.n);
  }
}

function readWrite(reader: PayloadReader): BatchRequest["writes"][number] {
  const kind = reader.u8();
  const key = reader.block();
  switch (kind) {
    case BATCH_WRITE.set:
      return { op: "set", key, value: readValue(reader), ttlMs: undefined };
    case BATCH_WRITE.setWithTtl: {
      const ttlMs = reader.f64();
      return { op: "set", key, value: readValue(reader), ttlMs };
    }
    case BATCH_WRITE.delete:
      return { op: "delete", key };
    default:
      expectProtocol(kind === BATCH_WRITE.increment, `unknown write ${kind}`);
      return { op: "increment", key, n: reader.f64() };
  }
}

function writeValue(writer: FrameWriter, { tag, bytes }: ValueView): void {
  writer.u8(tag);
  writer.u32(bytes.length);
  writer.bytes(bytes);
}

function readValue(reader: PayloadReader): { tag: number; bytes: Buffer } {
  return { tag: reader.u8(), bytes: reader.bytes(reader.u32()) };
}

/** u8 whether there is one, then the text. */
function writeOptional(writer: FrameWriter, text: string | undefined): void {
  writer.u8(text === undefined ? 0 : 1);
  if (text !== undefined) writer.text(text);
}

function readOptional(reader: PayloadReader): string | undefined {
  return reader.u8() === 0 ? undefined : reader.text();
}

/** A u16 number of parts, then the parts. */
function readMany<T>(reader: PayloadReader, read: () => T): T[] {
  const count = reader.u16();
  const parts: T[] = [];
  for (let i = 0; i < count; i++) parts.push(read());
  return parts;
}
