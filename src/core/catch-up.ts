import { assert } from "../base/assert.js";
import { ByteMap } from "./byte-map.js";
import { ByteReader, ByteWriter } from "./codec.js";
import { compareOrigins, equalDots, readDot, type Dot } from "./dot.js";
import { decodeItem, encodeItem, readVersion, type Version } from "./item.js";
import { normalise } from "./live-set.js";
import { dotsAbove } from "./dot-index.js";
import { itemRowKey, type RowReader } from "./rows.js";
import { Vector } from "./vector.js";

/** What a receiver asks of one member. */
export interface CatchUpRequest {
  /** Chosen by the receiver; every chunk repeats it. */
  readonly id: number;
  /** The receiver's name: the epoch at which it joined. */
  readonly member: number;
  /**
   * What the receiver has applied. If it has only joined: what the sender had applied whose chunks it
   * has stored last; empty at the beginning.
   */
  readonly vector: Vector;
  /** True if it has only joined. */
  readonly isFresh: boolean;
  /** Where a fresh receiver goes on: the position of the last chunk that it has stored. */
  readonly position: Vector | undefined;
}

/** Where the sender stands. The sender keeps nothing else. */
export interface CatchUpCursor {
  readonly position: Vector;
  readonly sequence: number;
}

/** A live version: its dot, and all of it where the request's vector does not cover the dot. */
export interface LiveEntry {
  readonly dot: Dot;
  readonly version: Version | undefined;
}

/** One key: all its live dots at the sender at one moment. */
export interface CatchUpRecord {
  readonly key: Uint8Array;
  readonly live: readonly LiveEntry[];
}

/** A part of the answer. All keys of one dot are in one chunk. */
export interface CatchUpChunk {
  readonly id: number;
  /** 0, 1, 2 …: a gap means that the catch-up is broken. */
  readonly sequence: number;
  readonly records: readonly CatchUpRecord[];
  /** What the sender had applied at the moment of these records. */
  readonly at: Vector;
  /** Where the sender stands now; `undefined` in the last chunk. */
  readonly position: Vector | undefined;
  /** In the last chunk. */
  readonly end: CatchUpEnd | undefined;
}

/** What the receiver has applied once it has installed everything. */
export interface CatchUpEnd {
  readonly vector: Vector;
  readonly hlc: number;
  readonly floor: Vector;
  /** The last commits of origins that the sender has retired. */
  readonly finals: Vector;
}

/**
 * What a sender answers: the next chunk (with a cursor unless it is the last), or that the receiver
 * lies below what was collected and must join afresh, or nothing, because it must not serve it.
 */
export type CatchUpAnswer =
  | {
      readonly type: "chunk";
      readonly chunk: CatchUpChunk;
      readonly cursor: CatchUpCursor | undefined;
    }
  | { readonly type: "reset"; readonly id: number; readonly floor: Vector }
  | { readonly type: "refused"; readonly id: number };

/** How large a chunk may become. It may exceed both by what belongs to one dot. */
export interface ChunkBudget {
  readonly keysMax: number;
  readonly bytesMax: number;
}

const NOTHING = new Vector();

/** The sender's answer to a request, after the answer that gave `cursor`. */
export function answerRequest(
  reader: RowReader,
  request: CatchUpRequest,
  from: {
    readonly cursor: CatchUpCursor | undefined;
    readonly sender: CatchUpEnd;
    readonly budget: ChunkBudget;
  },
): CatchUpAnswer {
  const { id, vector, isFresh } = request;
  const { cursor, sender, budget } = from;
  const isBegun = !isFresh || request.position !== undefined;
  if (!cursor && isBegun) {
    const collected = sender.floor.clone();
    collected.join(sender.finals);
    if (!vector.includes(collected)) return { type: "reset", id, floor: collected };
    // why: what a fresh receiver has stored came from a state that this sender has not reached.
    if (isFresh && !sender.vector.includes(vector)) return { type: "refused", id };
  }
  const position = (cursor?.position ?? request.position ?? NOTHING).clone();
  const walk = { position, senderVector: sender.vector, known: isFresh ? NOTHING : vector };
  const { records, isDone } = walkIndex(reader, walk, budget);
  const at = sender.vector.clone();
  const sequence = cursor?.sequence ?? 0;
  const [floor, finals] = [sender.floor.clone(), sender.finals];
  const end = isDone ? { vector: at, hlc: sender.hlc, floor, finals } : undefined;
  return {
    type: "chunk",
    chunk: { id, sequence, records, at, position: isDone ? undefined : position.clone(), end },
    cursor: isDone ? undefined : { position, sequence: sequence + 1 },
  };
}

/**
 * Walks the index above `position` (which moves along) and gathers the keys found, until the budget
 * is used up. `isDone` says that nothing is left at this moment.
 */
function walkIndex(
  reader: RowReader,
  walk: { readonly position: Vector; readonly senderVector: Vector; readonly known: Vector },
  budget: ChunkBudget,
): { records: CatchUpRecord[]; isDone: boolean } {
  const { position, senderVector, known } = walk;
  const records = new ByteMap<CatchUpRecord>();
  let sizeBytes = 0;
  let current: Dot | undefined;
  const reached = (origin: Dot): number =>
    position.lists(origin) ? position.get(origin) : known.reach(origin);
  for (const { dot, key } of dotsAbove(reader, reached)) {
    if (current && !equalDots(current, dot)) {
      const isSameOrigin = compareOrigins(current, dot) === 0;
      const { epoch, restart, counter } = current;
      const last = Math.max(counter, senderVector.get(current));
      position.raise({ epoch, restart, counter: isSameOrigin ? counter : last });
      const isFull = records.size >= budget.keysMax || sizeBytes >= budget.bytesMax;
      if (isFull) return { records: [...records.values()], isDone: false };
    }
    current = dot;
    if (records.has(key)) continue;
    const record = readRecord(reader, key, known);
    records.set(key, record);
    for (const { version } of record.live) sizeBytes += version?.value.bytes.length ?? 0;
  }
  return { records: [...records.values()], isDone: true };
}

function readRecord(reader: RowReader, key: Uint8Array, known: Vector): CatchUpRecord {
  const stored = reader.get(itemRowKey(key));
  assert(stored, "an index row leads to a key without an item row");
  const live = decodeItem(stored).map((version) => ({
    dot: version.dot,
    version: known.covers(version.dot) ? undefined : version,
  }));
  return { key, live };
}

/**
 * The live versions of a key after a record of it is installed. `at`: what the sender had applied
 * at the moment of the record; `current`: what this replica has applied now.
 */
export function installRecord(
  local: readonly Version[],
  live: readonly LiveEntry[],
  at: Vector,
  current: Vector,
): Version[] {
  const isListed = (dot: Dot): boolean => live.some((entry) => equalDots(entry.dot, dot));
  const versions = local.filter((version) => !at.covers(version.dot) || isListed(version.dot));
  for (const { dot, version } of live) {
    if (current.covers(dot)) continue;
    assert(version, "a record lacks the body of a version that the receiver has not applied");
    versions.push(version);
  }
  return normalise(versions);
}

/** The value of a staging row: a record and its `at`. */
export function encodeStaged(record: CatchUpRecord, at: Vector): Uint8Array {
  const writer = new ByteWriter();
  at.encodeTo(writer);
  writer.varint(record.live.length);
  for (const { dot, version } of record.live) {
    if (version) {
      writer.byte(1).raw(encodeItem([version]));
    } else {
      writer.byte(0).varint(dot.epoch).varint(dot.restart).varint(dot.counter);
    }
  }
  if (at.epoch > 0) writer.varint(at.epoch);
  return writer.finish();
}

/** Reads what {@link encodeStaged} wrote. */
export function decodeStaged(bytes: Uint8Array): { live: LiveEntry[]; at: Vector } {
  const reader = new ByteReader(bytes);
  const at = Vector.decode(reader);
  const live = reader.list(1, (): LiveEntry => {
    if (reader.byte() === 0) return { dot: readDot(reader), version: undefined };
    const version = readVersion(reader);
    return { dot: version.dot, version };
  });
  if (!reader.isAtEnd) at.listMembers([], reader.varint());
  return { live, at };
}
