import type { ByteReader, ByteWriter } from "../codec.js";
import {
  compareOrigins,
  DOT_BYTES_MIN,
  EPOCH_MAX,
  readDot,
  RESTART_MAX,
  type Dot,
  type Origin,
} from "../dot.js";
import { HLC_MAX } from "../hlc.js";
import { Vector } from "../vector.js";
import type { VectorChange } from "../vector-change.js";

/** Member and restart. */
const ORIGIN_BYTES_MIN = 2;

/** Appends a vector with its epoch. */
export function writeVector(writer: ByteWriter, vector: Vector): void {
  vector.encodeTo(writer.varint(vector.epoch));
}

/** Reads what {@link writeVector} wrote. */
export function readVector(reader: ByteReader): Vector {
  const epoch = readEpoch(reader);
  const vector = Vector.decode(reader, epoch);
  const latest = vector.latestMember;
  reader.require(epoch === 0 || latest <= epoch, "a vector lists who joined after its epoch");
  return vector;
}

/** Reads the epoch of a record or of a member. */
export function readEpoch(reader: ByteReader): number {
  const epoch = reader.varint();
  reader.require(epoch <= EPOCH_MAX, "an epoch is out of range");
  return epoch;
}

/** Reads a hybrid time. */
export function readHlc(reader: ByteReader): number {
  const hlc = reader.varint();
  reader.require(hlc <= HLC_MAX, "a hybrid time is out of range");
  return hlc;
}

/** Checks a dot that was read: commits are numbered from 1. */
export function requireCommit(reader: ByteReader, dot: Dot): Dot {
  reader.require(dot.counter > 0, "a dot names no commit");
  return dot;
}

/** Appends a change of a vector. */
export function writeVectorChange(writer: ByteWriter, change: VectorChange): void {
  const { epoch, entries, removed } = change;
  writer.varint(epoch).varint(entries.length);
  for (const dot of entries) writer.varint(dot.epoch).varint(dot.restart).varint(dot.counter);
  writer.varint(removed.length);
  for (const origin of removed) writer.varint(origin.epoch).varint(origin.restart);
}

/** Reads what {@link writeVectorChange} wrote. */
export function readVectorChange(reader: ByteReader): VectorChange {
  const epoch = readEpoch(reader);
  const entries = reader.list(DOT_BYTES_MIN, readDot);
  const removed = reader.list(ORIGIN_BYTES_MIN, readOrigin);
  const isInOrder = areRising(entries) && areRising(removed);
  reader.require(isInOrder, "the origins of a vector are not in order");
  const latest = entries.at(-1)?.epoch ?? 0;
  reader.require(epoch === 0 || latest <= epoch, "a vector lists who joined after its epoch");
  return { epoch, entries, removed };
}

function readOrigin(reader: ByteReader): Origin {
  const [epoch, restart] = [readEpoch(reader), reader.varint()];
  reader.require(restart <= RESTART_MAX, "an origin is out of range");
  return { epoch, restart };
}

function areRising(origins: readonly Origin[]): boolean {
  return origins.every(
    (origin, at) => at === 0 || compareOrigins(origins[at - 1] as Origin, origin) < 0,
  );
}
