import type { LinkShape } from "./link-shape.js";

/** Payload of a full TCP segment on Ethernet, and the bytes of all headers around it. */
const SEGMENT_BYTES = 1448;
const HEADER_BYTES = 66;

/**
 * One direction of a link: says when a piece arrives that is handed over now. Pieces follow each other
 * at the link's rate and arrive in their order, whatever connection they belong to.
 */
export class OneWay {
  /** The largest piece that is sent as one: a full segment, or what a millisecond has room for. */
  readonly pieceBytes: number;
  readonly #shape: LinkShape;
  readonly #random: () => number;
  /** When the last piece has been sent. */
  #sentMs = -Infinity;
  #arrivedMs = -Infinity;

  /** `random`: a number in [0, 1). */
  constructor(shape: LinkShape, random: () => number) {
    this.#shape = shape;
    this.#random = random;
    const { bitsPerS = Infinity } = shape;
    const perMsBytes = Math.floor(bitsPerS / 8000);
    this.pieceBytes = Math.max(SEGMENT_BYTES, Math.min(perMsBytes, 64 * 1024));
  }

  /** Takes a piece of at most {@link pieceBytes}; returns when it arrives. */
  arrivalMs(nowMs: number, sizeBytes: number): number {
    const { delayMs, jitterMs = 0, bitsPerS = Infinity } = this.#shape;
    const segments = Math.ceil(sizeBytes / SEGMENT_BYTES);
    const wireBytes = sizeBytes + segments * HEADER_BYTES;
    this.#sentMs = Math.max(nowMs, this.#sentMs) + (wireBytes * 8000) / bitsPerS;
    const arrivedMs = this.#sentMs + delayMs + jitterMs * this.#random();
    this.#arrivedMs = Math.max(arrivedMs, this.#arrivedMs);
    return this.#arrivedMs;
  }
}
