import type {
  CatchUpAnswer,
  CatchUpChunk,
  CatchUpCursor,
  CatchUpRequest,
} from "../../src/core/catch-up.js";
import type { Vector } from "../../src/core/vector.js";
import {
  decodeMessage,
  encodeMessage,
  type KeygroupMessage,
} from "../../src/core/wire/messages.js";

/** Bytes on their way to a node; the sender is the member that it was then. */
export interface Mail {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/** One catch-up on its way. */
export interface Session {
  /** Nodes, and the member that the sender was when it began. */
  readonly from: number;
  readonly to: number;
  readonly sender: number;
  readonly receiver: number;
  readonly request: CatchUpRequest;
  /** The sender's vector when it began. */
  readonly start: Vector;
  readonly queue: (CatchUpChunk | Exclude<CatchUpAnswer, { type: "chunk" }>)[];
  readonly delivered: CatchUpChunk[];
  cursor: CatchUpCursor | undefined;
  isServed: boolean;
}

/** What comes out at the other end of a link. */
export function overTheWire<T extends Exclude<KeygroupMessage, { type: "updates" }>>(
  message: T,
): T {
  return decodeMessage(encodeMessage(1, message)).message as T;
}
