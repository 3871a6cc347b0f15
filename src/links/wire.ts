/**
 * The bytes of a link, protocol 2. `docs/internals/protocol.md` explains them. Never change one.
 */

/** Versions of the protocol that this node speaks, best first. */
export const PROTOCOL_VERSIONS: readonly number[] = [2];

/** Path of the WebSocket. */
export const LINK_PATH = "/enoki/link";

/** Most bytes of one WebSocket message: a batch of frames that leave together. */
export const BATCH_BYTES_MAX = 64 * 1024;

/** Most bytes of one message of the handshake. */
export const HANDSHAKE_BYTES_MAX = 4096;

/** What a frame is, in bits 2 and 3 of its first byte; bits 0 and 1 hold the lane. */
export const FRAME_KIND = { whole: 0, first: 1, middle: 2, last: 3 } as const;

/** Lanes by number; {@link HEARTBEAT_LANE} is the link's own. */
export const LANES = ["control", "update", "bulk"] as const;
export const LANE_NUMBER = { control: 0, update: 1, bulk: 2 } as const;
export const HEARTBEAT_LANE = 3;

/** First byte, then the length of what follows as u32. */
export const FRAME_HEAD_BYTES = 5;
/** The length of the whole message as u32, behind the head of a `first` frame. */
export const TOTAL_BYTES = 4;

/** First byte of a heartbeat: asks, or answers with the time that it was asked with. */
export const HEARTBEAT = { ask: 1, answer: 2 } as const;
/** Kind, echoed monotonic time as f64, wall clock as f64. */
export const HEARTBEAT_BYTES = 17;

/** Codes that a WebSocket is closed with. */
export const CLOSE = {
  /** The node ends. */
  leaving: 1001,
  malformed: 4000,
  version: 4001,
  identity: 4002,
  skew: 4003,
  /** Both dialled at once and the other connection wins, or the link exists already. */
  crossed: 4004,
  timeout: 4005,
  replaced: 4006,
} as const;

/** The peer broke the protocol; its link is closed. */
export class LinkProtocolError extends Error {
  override readonly name = "LinkProtocolError";
}
