import type { ByteReader, ByteWriter } from "../codec.js";
import { RESTART_MAX } from "../dot.js";
import type { HeartbeatChange, RelayedChange, StandingChange } from "../heartbeat-changes.js";
import { readEpoch, readHlc, readVectorChange, writeVectorChange } from "./vector.js";

const HAS_ECHO = 1;
const HAS_SINCE = 2;
const ASKS_FOR_ALL = 4;
const HAS_STANDING = 8;
const HAS_WANTS = 16;
const HAS_RELAYED = 32;
const FLAGS = 63;

const IS_SERVING = 1;
const HAS_DURABLE = 2;
/** Nothing but a fresher echo is told of a member. */
const UNCHANGED = 4;

/** Member, flags, echo. */
const RELAYED_BYTES_MIN = 3;

/** Appends a heartbeat. */
export function writeHeartbeat(writer: ByteWriter, heartbeat: HeartbeatChange): void {
  const { since, asksForAll, hlc, stamp, echo, standing, wants, relayed } = heartbeat;
  writer.byte(
    (echo === undefined ? 0 : HAS_ECHO) |
      (since === undefined ? 0 : HAS_SINCE) |
      (asksForAll ? ASKS_FOR_ALL : 0) |
      (standing ? HAS_STANDING : 0) |
      (wants ? HAS_WANTS : 0) |
      (relayed.length > 0 ? HAS_RELAYED : 0),
  );
  writer.varint(hlc).varint(stamp);
  if (echo !== undefined) writer.varint(echo);
  if (since !== undefined) writer.varint(stamp - since);
  if (standing) writeStanding(writer.varint(standing.member), standing);
  if (wants) {
    writer.varint(wants.length);
    for (const member of wants) writer.varint(member);
  }
  if (relayed.length === 0) return;
  writer.varint(relayed.length);
  for (const one of relayed) writeRelayed(writer, one, echo ?? one.echo);
}

/** Reads what {@link writeHeartbeat} wrote. */
export function readHeartbeat(reader: ByteReader): HeartbeatChange {
  const flags = reader.byte();
  reader.require(flags <= FLAGS, "a heartbeat has unknown flags");
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const [hlc, stamp] = [readHlc(reader), reader.varint()];
  const echo = has(HAS_ECHO) ? reader.varint() : undefined;
  const since = has(HAS_SINCE) ? readEarlier(reader, stamp) : undefined;
  const isWhole = since !== undefined || (has(HAS_STANDING) && has(HAS_WANTS));
  reader.require(isWhole, "a heartbeat builds on nothing and does not say everything");
  const standing = has(HAS_STANDING) ? readStanding(reader, readEpoch(reader)) : undefined;
  const wants = has(HAS_WANTS) ? reader.list(1, readEpoch) : undefined;
  reader.require(isRising(wants ?? []), "the members of a heartbeat are not in order");
  let relayed: RelayedChange[] = [];
  if (has(HAS_RELAYED)) {
    reader.require(echo !== undefined, "a heartbeat tells of others without an echo");
    relayed = reader.list(RELAYED_BYTES_MIN, () => readRelayed(reader, echo ?? 0));
    reader.require(relayed.length > 0, "a heartbeat tells of others and names none");
    const members = relayed.map(({ member }) => member);
    reader.require(isRising(members), "the members of a heartbeat are not in order");
  }
  const asksForAll = has(ASKS_FOR_ALL);
  return { since, asksForAll, hlc, stamp, echo, standing, wants, relayed };
}

function writeRelayed(writer: ByteWriter, relayed: RelayedChange, latestEcho: number): void {
  const { member, standing, echo } = relayed;
  writer.varint(member);
  if (standing) writeStanding(writer, standing);
  else writer.byte(UNCHANGED);
  writer.varint(latestEcho - echo);
}

function readRelayed(reader: ByteReader, latestEcho: number): RelayedChange {
  const member = readEpoch(reader);
  const standing = readStanding(reader, member, UNCHANGED);
  return { member, standing, echo: readEarlier(reader, latestEcho) };
}

function writeStanding(writer: ByteWriter, standing: StandingChange): void {
  const { epoch, restart, isServing, applied, durable } = standing;
  writer.byte((isServing ? IS_SERVING : 0) | (durable ? HAS_DURABLE : 0));
  writeVectorChange(writer.varint(epoch).varint(restart), applied);
  if (durable) writeVectorChange(writer, durable);
}

function readStanding(reader: ByteReader, member: number, none?: number) {
  const flags = reader.byte();
  if (flags === none) return undefined;
  reader.require(flags <= (IS_SERVING | HAS_DURABLE), "a standing has unknown flags");
  const [epoch, restart] = [readEpoch(reader), reader.varint()];
  reader.require(restart <= RESTART_MAX, "an origin is out of range");
  const applied = readVectorChange(reader);
  const durable = flags & HAS_DURABLE ? readVectorChange(reader) : undefined;
  const isServing = (flags & IS_SERVING) !== 0;
  return { epoch, member, restart, isServing, applied, durable };
}

function readEarlier(reader: ByteReader, stamp: number): number {
  const before = reader.varint();
  reader.require(before <= stamp, "a stamp lies before the beginning of time");
  return stamp - before;
}

function isRising(members: readonly number[]): boolean {
  return members.every((member, at) => at === 0 || member > (members[at - 1] as number));
}
