import { LIMITS } from "../core/limits.js";
import { ChannelError, readU32 } from "./payload.js";

const LENGTH_BYTES = 4;
const HEADER_BYTES = 9;
const HEADER_AFTER_LENGTH_BYTES = HEADER_BYTES - LENGTH_BYTES;

/** Takes one whole frame. */
export type FrameHandler = (type: number, id: number, payload: Buffer) => void;

/**
 * Cuts a byte stream into frames.
 *
 * Payloads may be kept: Node reads into a fresh buffer each time, so nothing is overwritten. A
 * payload that lies inside one chunk is a view of it and keeps the whole chunk (up to 64 KiB)
 * alive, so copy what is small and lives long. A frame that spans chunks is gathered once, in a
 * buffer of its exact size.
 */
export class FrameReader {
  /** Bytes of a header that was cut; at most {@link HEADER_BYTES}. */
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** The payload being gathered, while one spans chunks. */
  #payload: Buffer | undefined;
  #payloadBytes = 0;

  /** Number of payload bytes copied so far: the cost of frames that span chunks. */
  copiedBytesTotal = 0;

  /** Calls `onFrame` for every frame that `chunk` completes. @throws ChannelError on a bad length */
  push(chunk: Buffer, onFrame: FrameHandler): void {
    let at = 0;
    if (this.#payload || this.#headerBytes > 0) at = this.#resume(chunk, onFrame);
    const end = chunk.length;
    while (end - at >= HEADER_BYTES) {
      const payloadAt = at + HEADER_BYTES;
      const sizeBytes = payloadSize(chunk, at);
      if (payloadAt + sizeBytes > end) break;
      at = payloadAt + sizeBytes;
      const header = payloadAt - HEADER_AFTER_LENGTH_BYTES;
      onFrame(chunk[header] as number, readU32(chunk, header + 1), chunk.subarray(payloadAt, at));
    }
    if (at < end) this.#begin(chunk, at);
  }

  /**
   * Where the rest of a large frame belongs, while at least `sizeBytesMin` of it are missing: who
   * reads straight into it and calls {@link filled} saves a copy.
   */
  wanted(sizeBytesMin: number): Buffer | undefined {
    const payload = this.#payload;
    const isLarge = payload !== undefined && payload.length - this.#payloadBytes >= sizeBytesMin;
    return isLarge ? payload.subarray(this.#payloadBytes) : undefined;
  }

  /** Says that `sizeBytes` were read into what {@link wanted} gave. */
  filled(sizeBytes: number, onFrame: FrameHandler): void {
    this.#payloadBytes += sizeBytes;
    this.#complete(onFrame);
  }

  /** True between frames: a stream that ends elsewhere was cut off. */
  get isEmpty(): boolean {
    return this.#headerBytes === 0 && this.#payload === undefined;
  }

  /** Keeps the start of a frame that `chunk` does not complete. */
  #begin(chunk: Buffer, at: number): number {
    const headerBytes = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - at);
    chunk.copy(this.#header, this.#headerBytes, at, at + headerBytes);
    this.#headerBytes += headerBytes;
    if (this.#headerBytes < HEADER_BYTES) return at + headerBytes;
    this.#payload = Buffer.allocUnsafe(payloadSize(this.#header, 0));
    this.#payloadBytes = 0;
    return this.#gather(chunk, at + headerBytes);
  }

  #gather(chunk: Buffer, at: number): number {
    const payload = this.#payload as Buffer;
    const copied = chunk.copy(payload, this.#payloadBytes, at);
    this.#payloadBytes += copied;
    this.copiedBytesTotal += copied;
    return at + copied;
  }

  #resume(chunk: Buffer, onFrame: FrameHandler): number {
    const at = this.#payload ? this.#gather(chunk, 0) : this.#begin(chunk, 0);
    this.#complete(onFrame);
    return at;
  }

  #complete(onFrame: FrameHandler): void {
    const payload = this.#payload;
    if (payload && this.#payloadBytes === payload.length) {
      this.#payload = undefined;
      this.#headerBytes = 0;
      onFrame(
        this.#header[LENGTH_BYTES] as number,
        readU32(this.#header, LENGTH_BYTES + 1),
        payload,
      );
    }
  }
}

function payloadSize(header: Buffer, at: number): number {
  const lengthBytes = readU32(header, at);
  if (lengthBytes < HEADER_AFTER_LENGTH_BYTES || lengthBytes > LIMITS.frameBytesMax) {
    throw new ChannelError(`a frame of ${lengthBytes} bytes is outside the limits`);
  }
  return lengthBytes - HEADER_AFTER_LENGTH_BYTES;
}
