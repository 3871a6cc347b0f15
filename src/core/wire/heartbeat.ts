import type { ByteReader, ByteWriter } from "../codec.js";
import { RESTART_MAX } from "../dot.js";
import type { Heartbeat } from "../heartbeat.js";
import { readEpoch, readHlc, readVector, writeVector } from "./vector.js";

const IS_SERVING = 1;
const HAS_ECHO = 2;

/** Appends a heartbeat. */
export function writeHeartbeat(writer: ByteWriter, heartbeat: Heartbeat): void {
  const { epoch, member, restart, isServing, applied, durable, hlc, stamp, echo } = heartbeat;
  writer.byte((isServing ? IS_SERVING : 0) | (echo === undefined ? 0 : HAS_ECHO));
  writer.varint(epoch).varint(member).varint(restart).varint(hlc).varint(stamp);
  if (echo !== undefined) writer.varint(echo);
  writeVector(writer, applied);
  writeVector(writer, durable);
}

/** Reads what {@link writeHeartbeat} wrote. */
export function readHeartbeat(reader: ByteReader): Heartbeat {
  const flags = reader.byte();
  reader.require(flags <= (IS_SERVING | HAS_ECHO), "a heartbeat has unknown flags");
  const [epoch, member, restart] = [readEpoch(reader), readEpoch(reader), reader.varint()];
  reader.require(restart <= RESTART_MAX, "an origin is out of range");
  const [hlc, stamp] = [readHlc(reader), reader.varint()];
  const echo = flags & HAS_ECHO ? reader.varint() : undefined;
  const [applied, durable] = [readVector(reader), readVector(reader)];
  const isServing = (flags & IS_SERVING) !== 0;
  return { epoch, member, restart, isServing, applied, durable, hlc, stamp, echo };
}
