import type { CatchUpChunk, CatchUpRequest } from "./catch-up.js";
import {
  identityWrite,
  joiningWrite,
  META_ROW,
  readJoining,
  readState,
  recordWrite,
  stateWrite,
} from "./meta.js";
import type { Founding } from "./opening.js";
import { ROW_PREFIX, type RowReader, type RowWrite } from "./rows.js";
import { freshWrites } from "./staging.js";
import { Vector } from "./vector.js";

/**
 * A joining replica stores chunks where they belong, for nobody reads it yet, and remembers with each
 * how far it has come. After a break any serving member may go on which has applied what the sender
 * had: the state is a function of the vector, so that one holds, behind the position, all that is
 * not here yet or has changed. If no such member is left, what is here is of no use.
 */

/** What a joining replica asks for: everything, or the rest of what it has begun. */
export function joinRequest(reader: RowReader, id: number, member: number): CatchUpRequest {
  const progress = readJoining(reader);
  const vector = progress?.at ?? new Vector();
  return { id, member, vector, isFresh: true, position: progress?.position };
}

/** Why a chunk cannot go on from what is stored; `undefined` if it can. */
export function joinProblem(
  reader: RowReader,
  member: number,
  { at, end, records }: CatchUpChunk,
): string | undefined {
  const progress = readJoining(reader);
  if (progress && !at.includes(progress.at)) return "a sender lacks what another one had";
  if (end && end.vector.epoch < member) return "a sender does not know of the replica that joins";
  const isWhole = records.every(({ live }) => live.every(({ version }) => version !== undefined));
  return isWhole ? undefined : "a record lacks a version";
}

/** The rows of a chunk, and how far it brings the replica. */
export function joinWrites(reader: RowReader, chunk: CatchUpChunk): RowWrite[] {
  const writes = freshWrites(reader, chunk);
  const { at, position } = chunk;
  if (position) writes.push(joiningWrite({ at, position }));
  else writes.push({ key: META_ROW.joining, value: undefined });
  return writes;
}

/** Forgets what a join has brought that no member can go on with. Sweep the rows before another. */
export function abandonWrites(): RowWrite[] {
  return [{ key: META_ROW.joining, value: undefined }];
}

/** Up to `limit` rows to drop of what was here before; none once a join may begin. */
export function sweepWrites(reader: RowReader, limit: number): RowWrite[] {
  if (readJoining(reader)) return [];
  const writes: RowWrite[] = [];
  for (const prefix of SWEPT) {
    if (writes.length >= limit) break;
    const [start, end] = [Uint8Array.of(prefix), Uint8Array.of(prefix + 1)];
    const rows = reader.range({ start, end, limit: limit - writes.length });
    for (const { key } of rows) writes.push({ key, value: undefined });
  }
  return writes;
}

/** The rows that make a replica which has served, or was removed, a joining one under a new name. */
export function rejoinWrites(reader: RowReader, founding: Founding): RowWrite[] {
  const { generation, epoch, record, isServing } = founding;
  const { hlcBound } = readState(reader);
  return [
    identityWrite({ generation, epoch, restart: 0, isServing }),
    recordWrite(record),
    stateWrite({ hlcBound, vector: new Vector() }),
    ...[META_ROW.floor, META_ROW.listed, META_ROW.finals, META_ROW.joining].map((key) => ({
      key,
      value: undefined,
    })),
  ];
}

/** All rows of the core but its meta rows. */
const SWEPT = [
  ROW_PREFIX.index,
  ROW_PREFIX.item,
  ROW_PREFIX.staging,
  ROW_PREFIX.garbage,
  ROW_PREFIX.expiry,
];
