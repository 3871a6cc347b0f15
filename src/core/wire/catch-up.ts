import { assert } from "../../base/assert.js";
import type {
  CatchUpChunk,
  CatchUpEnd,
  CatchUpRecord,
  CatchUpRequest,
  LiveEntry,
} from "../catch-up.js";
import type { ByteReader, ByteWriter } from "../codec.js";
import { compareDots, DOT_BYTES_MIN, dotSize, readDot } from "../dot.js";
import { HLC_MAX } from "../hlc.js";
import { encodeItem, readVersion, versionSize } from "../item.js";
import type { Vector } from "../vector.js";
import { areKeysDistinct, readItemKey, requireValue } from "./update.js";
import { readEpoch, readHlc, readVector, requireCommit, writeVector } from "./vector.js";

const IS_FRESH = 1;
const HAS_POSITION = 2;
const IS_END = 1;

/** One byte of key and its length, count of live dots. */
const RECORD_BYTES_MIN = 3;

/** Appends a request. */
export function writeRequest(writer: ByteWriter, request: CatchUpRequest): void {
  const { id, member, vector, isFresh, position } = request;
  writer.byte((isFresh ? IS_FRESH : 0) | (position ? HAS_POSITION : 0));
  writeVector(writer.varint(id).varint(member), vector);
  if (position) writeVector(writer, position);
}

/** Reads what {@link writeRequest} wrote. */
export function readRequest(reader: ByteReader): CatchUpRequest {
  const flags = reader.byte();
  const isKnown = flags <= IS_FRESH || flags === (IS_FRESH | HAS_POSITION);
  reader.require(isKnown, "a request has unknown flags");
  const [id, member, vector] = [reader.varint(), readEpoch(reader), readVector(reader)];
  const position = flags & HAS_POSITION ? readVector(reader) : undefined;
  return { id, member, vector, isFresh: (flags & IS_FRESH) !== 0, position };
}

/** About the bytes that {@link writeChunk} takes, and never fewer than its records take. */
export function chunkSize(chunk: CatchUpChunk): number {
  let size = 512;
  for (const { key, live } of chunk.records) {
    size += 8 + key.length;
    for (const { dot, version } of live)
      size += 1 + (version ? versionSize(version) : dotSize(dot));
  }
  return size;
}

/** Appends a chunk. Its last vector is the one of its records' moment, and travels once. */
export function writeChunk(writer: ByteWriter, chunk: CatchUpChunk): void {
  const { id, sequence, records, at, position, end } = chunk;
  assert((end === undefined) === (position !== undefined), "all chunks but the last go on");
  assert(!end || end.vector.compare(at) === "equal", "a chunk ends at the vector of its records");
  writer
    .byte(end ? IS_END : 0)
    .varint(id)
    .varint(sequence);
  writeVector(writer, at);
  if (position) writeVector(writer, position);
  if (end) {
    writeVector(writer.varint(end.hlc), end.floor);
    writeVector(writer, end.finals);
  }
  writer.varint(records.length);
  for (const record of records) writeRecord(writer, record);
}

/** Reads what {@link writeChunk} wrote. */
export function readChunk(reader: ByteReader): CatchUpChunk {
  const flags = reader.byte();
  reader.require(flags <= IS_END, "a chunk has unknown flags");
  const [id, sequence, at] = [reader.varint(), reader.varint(), readVector(reader)];
  const end = flags === IS_END ? readEnd(reader, at) : undefined;
  const position = end ? undefined : readVector(reader);
  const records = reader.list(RECORD_BYTES_MIN, (from) => readRecord(from, at));
  reader.require(areKeysDistinct(records), "a chunk has two records of a key");
  return { id, sequence, records, at, position, end };
}

function readEnd(reader: ByteReader, vector: Vector): CatchUpEnd {
  const [hlc, floor, finals] = [readHlc(reader), readVector(reader), readVector(reader)];
  return { vector, hlc, floor, finals };
}

function writeRecord(writer: ByteWriter, { key, live }: CatchUpRecord): void {
  writer.sized(key).varint(live.length);
  for (const { dot, version } of live) {
    if (version) writer.byte(1).raw(encodeItem([version]));
    else writer.byte(0).varint(dot.epoch).varint(dot.restart).varint(dot.counter);
  }
}

function readRecord(reader: ByteReader, at: Vector): CatchUpRecord {
  const key = readItemKey(reader);
  const live = reader.list(1 + DOT_BYTES_MIN, (from) => readLive(from, at));
  reader.require(live.length > 0, "a record has no live version");
  for (let i = 1; i < live.length; i++) {
    const order = compareDots((live[i - 1] as LiveEntry).dot, (live[i] as LiveEntry).dot);
    reader.require(order < 0, "the live versions of a record are not in order");
  }
  return { key, live };
}

function readLive(reader: ByteReader, at: Vector): LiveEntry {
  const hasBody = reader.byte();
  reader.require(hasBody <= 1, "a live version has unknown flags");
  const version = hasBody === 1 ? readVersion(reader) : undefined;
  const dot = requireCommit(reader, version ? version.dot : readDot(reader));
  reader.require(at.covers(dot), "a record lists what its sender has not applied");
  if (version) {
    reader.require(version.hlc <= HLC_MAX, "a hybrid time is out of range");
    requireValue(reader, version.value);
  }
  return { dot, version };
}
