import type { ByteReader, ByteWriter } from "../codec.js";
import { EPOCH_MAX, type Dot } from "../dot.js";
import { HLC_MAX } from "../hlc.js";
import { Vector } from "../vector.js";

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
