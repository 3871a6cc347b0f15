import { ByteReader, ByteWriter } from "../codec.js";
import type { CatchUpChunk, CatchUpRequest } from "../catch-up.js";
import type { HeartbeatChange } from "../heartbeat-changes.js";
import type { Update } from "../update.js";
import type { Vector } from "../vector.js";
import { chunkSize, readChunk, readRequest, writeChunk, writeRequest } from "./catch-up.js";
import { readHeartbeat, writeHeartbeat } from "./heartbeat.js";
import { readUpdate, UPDATE_BYTES_MIN } from "./update.js";
import { readVector, writeVector } from "./vector.js";

/** Everything that travels between two replicas of a keygroup. */
export type KeygroupMessage =
  /** Commits of the sender, in their order. */
  | { readonly type: "updates"; readonly updates: readonly Update[] }
  | { readonly type: "heartbeat"; readonly heartbeat: HeartbeatChange }
  /** A catch-up is asked for; the first chunk is the answer. */
  | { readonly type: "request"; readonly request: CatchUpRequest }
  | { readonly type: "chunk"; readonly chunk: CatchUpChunk }
  /** The receiver has stored what came before `sequence` and wants that chunk. */
  | { readonly type: "next"; readonly id: number; readonly sequence: number }
  /** The receiver wants no more of that catch-up. */
  | { readonly type: "cancel"; readonly id: number }
  /** The receiver lies below the sender's floor. */
  | { readonly type: "reset"; readonly id: number; readonly floor: Vector }
  /** The sender does not serve that catch-up. */
  | { readonly type: "refused"; readonly id: number };

/** A message, and the generation of the keygroup that it belongs to. */
export interface Envelope {
  readonly generation: number;
  readonly message: KeygroupMessage;
}

/** The first byte: the version of this protocol above, the type of the message below. */
const PROTOCOL_VERSION = 2;
const FIRST_BYTE = {
  updates: 0x21,
  heartbeat: 0x22,
  request: 0x23,
  chunk: 0x24,
  next: 0x25,
  cancel: 0x26,
  reset: 0x27,
  refused: 0x28,
} as const satisfies Record<KeygroupMessage["type"], number>;

const SMALL_BYTES = 256;

/** A message of updates that {@link encodeUpdate} has encoded before, for all members alike. */
export function joinUpdates(generation: number, encoded: readonly Uint8Array[]): Uint8Array {
  let sizeBytes = 16;
  for (const update of encoded) sizeBytes += update.length;
  const writer = new ByteWriter(sizeBytes);
  writer.byte(FIRST_BYTE.updates).varint(generation).varint(encoded.length);
  for (const update of encoded) writer.raw(update);
  return writer.finish();
}

/** The bytes of any message but `updates` (see {@link joinUpdates}): equal messages, equal bytes. */
export function encodeMessage(
  generation: number,
  message: Exclude<KeygroupMessage, { type: "updates" }>,
): Uint8Array {
  const sizeBytes = message.type === "chunk" ? chunkSize(message.chunk) : SMALL_BYTES;
  const writer = new ByteWriter(sizeBytes);
  writer.byte(FIRST_BYTE[message.type]).varint(generation);
  switch (message.type) {
    case "heartbeat":
      writeHeartbeat(writer, message.heartbeat);
      break;
    case "request":
      writeRequest(writer, message.request);
      break;
    case "chunk":
      writeChunk(writer, message.chunk);
      break;
    case "next":
      writer.varint(message.id).varint(message.sequence);
      break;
    case "reset":
      writeVector(writer.varint(message.id), message.floor);
      break;
    default:
      writer.varint(message.id);
  }
  return writer.finish();
}

/**
 * Reads a message that a peer sent. Values are views of `bytes`.
 * @throws EnokiError `ENOKI_PROTOCOL` for anything that {@link encodeMessage} does not write
 */
export function decodeMessage(bytes: Uint8Array): Envelope {
  const reader = ByteReader.foreign(bytes);
  const first = reader.byte();
  const isKnown = first >>> 4 === PROTOCOL_VERSION;
  reader.require(isKnown, "the message belongs to another version of the protocol");
  const generation = reader.varint();
  const message = readMessage(reader, first);
  reader.require(reader.isAtEnd, "the message does not end where it should");
  return { generation, message };
}

function readMessage(reader: ByteReader, first: number): KeygroupMessage {
  switch (first) {
    case FIRST_BYTE.updates: {
      const updates = reader.list(UPDATE_BYTES_MIN, readUpdate);
      reader.require(updates.length > 0, "a message holds no update");
      return { type: "updates", updates };
    }
    case FIRST_BYTE.heartbeat:
      return { type: "heartbeat", heartbeat: readHeartbeat(reader) };
    case FIRST_BYTE.request:
      return { type: "request", request: readRequest(reader) };
    case FIRST_BYTE.chunk:
      return { type: "chunk", chunk: readChunk(reader) };
    case FIRST_BYTE.next:
      return { type: "next", id: reader.varint(), sequence: reader.varint() };
    case FIRST_BYTE.cancel:
      return { type: "cancel", id: reader.varint() };
    case FIRST_BYTE.reset:
      return { type: "reset", id: reader.varint(), floor: readVector(reader) };
    default:
      reader.require(first === FIRST_BYTE.refused, "the type of the message is unknown");
      return { type: "refused", id: reader.varint() };
  }
}
