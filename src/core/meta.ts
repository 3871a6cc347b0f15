import { assert } from "../base/assert.js";
import { ByteReader, ByteWriter } from "./codec.js";
import { EnokiError } from "./errors.js";
import { ROW_PREFIX, type RowReader, type RowWrite } from "./rows.js";
import { Vector } from "./vector.js";

/** The storage format that this version reads and writes. */
export const STORAGE_FORMAT = 1;

/** Who holds a keygroup: one naming record. Members are named by the epoch at which they joined. */
export interface MembershipRecord {
  readonly epoch: number;
  readonly members: readonly number[];
  /** Former members. */
  readonly past: readonly number[];
}

/** Who this replica is. Written when it is created, restarted, or begins to serve. */
export interface Identity {
  /** The keygroup's creation that the data belongs to. */
  readonly generation: number;
  /** The epoch at which this member joined. */
  readonly epoch: number;
  readonly restart: number;
  /** False while it joins: it neither commits nor answers catch-ups. */
  readonly isServing: boolean;
}

/** What changes with every transaction. */
export interface StoredState {
  /** No hybrid time that this replica has shown lies above it. */
  readonly hlcBound: number;
  readonly vector: Vector;
}

/** Makes bytes of ASCII text. */
function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function metaRowKey(name: string): Uint8Array {
  return asciiBytes(String.fromCharCode(ROW_PREFIX.meta) + name);
}

/** Keys of the meta rows. Unknown ones are left alone. */
export const META_ROW = {
  format: metaRowKey("format"),
  identity: metaRowKey("identity"),
  state: metaRowKey("state"),
  floor: metaRowKey("floor"),
  record: metaRowKey("record"),
  listed: metaRowKey("listed"),
  finals: metaRowKey("finals"),
  joining: metaRowKey("joining"),
} as const;

/**
 * True if the store holds a replica of this format, false if it holds nothing of ours.
 * @throws EnokiError `ENOKI_STORAGE_FORMAT` for anything else
 */
export function checkFormat(reader: RowReader): boolean {
  const stored = reader.get(META_ROW.format);
  if (!stored) {
    const rest = [ROW_PREFIX.index, ROW_PREFIX.item, ROW_PREFIX.meta];
    const isEmpty = rest.every(
      (prefix) =>
        reader.range({ start: Uint8Array.of(prefix), end: Uint8Array.of(prefix + 1), limit: 1 })
          .length === 0,
    );
    if (isEmpty) return false;
    throw new EnokiError("ENOKI_STORAGE_FORMAT", storageFormatDetail("none"));
  }
  const text = String.fromCharCode(...stored.subarray(0, 16));
  if (text === String(STORAGE_FORMAT)) return true;
  throw new EnokiError("ENOKI_STORAGE_FORMAT", storageFormatDetail(JSON.stringify(text)));
}

function storageFormatDetail(found: string): string {
  return `the keygroup's store has format ${found}; this version reads format ${STORAGE_FORMAT}`;
}

/** The row that marks a store as ours. */
export function formatWrite(): RowWrite {
  return { key: META_ROW.format, value: asciiBytes(String(STORAGE_FORMAT)) };
}

/** The row of an {@link Identity}. */
export function identityWrite(identity: Identity): RowWrite {
  const writer = new ByteWriter();
  writer.varint(identity.generation).varint(identity.epoch).varint(identity.restart);
  return { key: META_ROW.identity, value: writer.byte(identity.isServing ? 1 : 0).finish() };
}

/** Reads the {@link Identity} of a store of ours. */
export function readIdentity(reader: RowReader): Identity {
  const bytes = requiredReader(reader, META_ROW.identity);
  const [generation, epoch, restart] = [bytes.varint(), bytes.varint(), bytes.varint()];
  return { generation, epoch, restart, isServing: bytes.byte() === 1 };
}

/** The row of a {@link StoredState}. */
export function stateWrite(state: StoredState): RowWrite {
  const writer = new ByteWriter();
  writer.varint(state.hlcBound);
  state.vector.encodeTo(writer);
  return { key: META_ROW.state, value: writer.finish() };
}

/** Reads the {@link StoredState} of a store of ours. */
export function readState(reader: RowReader): StoredState {
  const bytes = requiredReader(reader, META_ROW.state);
  return { hlcBound: bytes.varint(), vector: Vector.decode(bytes, readListed(reader)) };
}

/** The row of the floor: per origin the greatest dot that was collected. */
export function floorWrite(floor: Vector): RowWrite {
  return { key: META_ROW.floor, value: floor.encode() };
}

/** Reads the floor; empty before the first collection. */
export function readFloor(reader: RowReader): Vector {
  const bytes = reader.get(META_ROW.floor);
  return bytes ? Vector.decode(new ByteReader(bytes)) : new Vector();
}

/** The row of the epoch of the stored vector: the last record whose members it lists. */
export function listedWrite(epoch: number): RowWrite {
  return { key: META_ROW.listed, value: new ByteWriter().varint(epoch).finish() };
}

/** Reads the epoch of the stored vector; 0 in a store that never had one. */
export function readListed(reader: RowReader): number {
  const bytes = reader.get(META_ROW.listed);
  return bytes ? new ByteReader(bytes).varint() : 0;
}

/** The row of the last commits of origins that were retired. */
export function finalsWrite(finals: Vector): RowWrite {
  return { key: META_ROW.finals, value: finals.encode() };
}

/** Reads what {@link finalsWrite} wrote. */
export function readFinals(reader: RowReader): Vector {
  const bytes = reader.get(META_ROW.finals);
  return bytes ? Vector.decode(new ByteReader(bytes)) : new Vector();
}

/** How far a joining replica has come. */
export interface JoinProgress {
  /** What the sender had applied at the last chunk that was stored. */
  readonly at: Vector;
  /** Where the sender stood then. */
  readonly position: Vector;
}

/** The row of a {@link JoinProgress}. */
export function joiningWrite({ at, position }: JoinProgress): RowWrite {
  const writer = new ByteWriter().varint(at.epoch);
  at.encodeTo(writer);
  position.encodeTo(writer);
  return { key: META_ROW.joining, value: writer.finish() };
}

/** Reads the {@link JoinProgress}; `undefined` before the first chunk. */
export function readJoining(reader: RowReader): JoinProgress | undefined {
  const stored = reader.get(META_ROW.joining);
  if (!stored) return undefined;
  const bytes = new ByteReader(stored);
  const epoch = bytes.varint();
  return { at: Vector.decode(bytes, epoch), position: Vector.decode(bytes) };
}

/** The row of a {@link MembershipRecord}. */
export function recordWrite(record: MembershipRecord): RowWrite {
  const writer = new ByteWriter();
  writer.varint(record.epoch);
  for (const list of [record.members, record.past]) {
    writer.varint(list.length);
    for (const epoch of list) writer.varint(epoch);
  }
  return { key: META_ROW.record, value: writer.finish() };
}

/** Reads the {@link MembershipRecord} of a store of ours. */
export function readRecord(reader: RowReader): MembershipRecord {
  const bytes = requiredReader(reader, META_ROW.record);
  const epoch = bytes.varint();
  const list = (): number[] => Array.from({ length: bytes.varint() }, () => bytes.varint());
  return { epoch, members: list(), past: list() };
}

function requiredReader(reader: RowReader, key: Uint8Array): ByteReader {
  const bytes = reader.get(key);
  assert(bytes, "a meta row of the store is missing");
  return new ByteReader(bytes);
}
