import { BATCH_BYTES_MAX } from "./wire.js";

/** How long a WebSocket may take to close before it is cut. */
const CLOSE_TIMEOUT_MS = 1000;
/** Pieces that one message may arrive in. */
const CHUNKS_MAX = 4096;

/**
 * Options of both ends: a message is one frame of bounded size, checked before it is gathered;
 * nothing is compressed; and nothing is answered by itself, which a peer could make grow.
 */
export const WEB_SOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: BATCH_BYTES_MAX,
  maxFragments: 1,
  maxBufferedChunks: CHUNKS_MAX,
  autoPong: false,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const;

/**
 * The key that a client has to mask its frames with.
 *
 * why zero: masks keep scripts of a web page from speaking to proxies on the way. There is no such
 * script here, and the pass over all bytes is saved at both ends.
 */
export function zeroMask(mask: Buffer): void {
  mask.fill(0);
}
