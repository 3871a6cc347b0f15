import { ChannelError, writeU16, writeU32 } from "./payload.js";
import { LIMITS } from "../core/limits.js";

const SLAB_BYTES = 64 * 1024;
/** Parts above this are written as they are instead of being copied into the slab. */
const COPY_BYTES_MAX = 64 * 1024;
/** Text up to this is written in place: its size in UTF-8 may be three times as much. */
const TEXT_IN_PLACE_MAX = 16 * 1024;
/** Below this a loop beats the call into the engine. */
const SHORT_TEXT_MAX = 24;
const LENGTH_BYTES = 4;
const HEADER_BYTES = 9;

/** Where the bytes go: a socket. */
export interface FrameSink {
  write(chunk: Uint8Array): unknown;
  /** Bytes handed over that the system has not taken yet. */
  readonly writableLength: number;
  cork?(): void;
  uncork?(): void;
}

/** Options of a {@link FrameWriter}. */
export interface FrameWriterOptions {
  /**
   * Called with `flush` at the first frame after a flush. The default, `setImmediate`, gathers
   * everything that one turn of the event loop writes; `null` leaves it to the owner.
   */
  readonly schedule?: ((flush: () => void) => void) | null;
  /**
   * After so many frames they are handed over at once, so that who gets them begins while the rest of
   * the turn is still being worked on. Without it a turn is one write.
   */
  readonly framesPerWriteMax?: number;
}

/**
 * Gathers the frames of one turn and hands them to the sink in one write.
 *
 * A frame is `begin`, then its payload piece by piece, then `end`. Small pieces are copied into a
 * slab; byte strings above 64 KiB are passed on as they are, so their owner must not change them
 * until they are written.
 */
export class FrameWriter {
  readonly #sink: FrameSink;
  readonly #schedule: ((flush: () => void) => void) | null;
  readonly #framesPerWriteMax: number;
  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.flush();
  };
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Start of what is not handed over yet. */
  #from = 0;
  #at = 0;
  /** Sealed pieces that go before the slab's; only when something large or much is written. */
  #chunks: Uint8Array[] = [];
  /** Bytes ever written that are no longer the slab's unsealed piece. */
  #sealedBytes = 0;
  /** The open frame: where its header lies, and what {@link drop} needs to take it back. */
  #frameSlab = this.#slab;
  #frameAt = 0;
  #frameFrom = 0;
  #frameChunks = 0;
  #framePosition = 0;
  #isScheduled = false;
  /** Whole frames that are not handed over yet, and how many of them may wait for others. */
  #frames = 0;
  #idleFrames = 0;

  /** Calls of `sink.write` so far, several corked chunks counting as one. */
  writesTotal = 0;
  /** Bytes handed to the sink so far. */
  bytesTotal = 0;

  constructor(sink: FrameSink, options: FrameWriterOptions = {}) {
    this.#sink = sink;
    this.#schedule = options.schedule === undefined ? scheduleImmediate : options.schedule;
    this.#framesPerWriteMax = options.framesPerWriteMax ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes that were written here and that the system has not taken yet. */
  get backlogBytes(): number {
    return this.#position() - this.bytesTotal + this.#sink.writableLength;
  }

  /** Frames that wait for others to be handed over with. */
  get waitingFrames(): number {
    return this.#idleFrames;
  }

  /** Opens a frame; it must be closed by {@link end} before anything else happens. */
  begin(type: number, id: number): void {
    const at = this.#room(HEADER_BYTES);
    const slab = this.#slab;
    this.#frameSlab = slab;
    this.#frameAt = at;
    this.#frameFrom = this.#from;
    this.#frameChunks = this.#chunks.length;
    this.#framePosition = this.#position();
    slab[at + 4] = type;
    writeU32(slab, at + 5, id);
    this.#at = at + HEADER_BYTES;
  }

  /**
   * Closes the open frame. `mayWait`: it goes with the next frame that may not, or with
   * {@link flushSoon}. @throws ChannelError if it is too long; the frame is then dropped
   */
  end(mayWait = false): void {
    const lengthBytes = this.#position() - this.#framePosition - LENGTH_BYTES;
    if (lengthBytes > LIMITS.frameBytesMax) {
      this.drop();
      throw new ChannelError(`a frame of ${lengthBytes} bytes is outside the limits`);
    }
    writeU32(this.#frameSlab, this.#frameAt, lengthBytes);
    this.#frames += 1;
    if (this.#frames >= this.#framesPerWriteMax) this.flush();
    else if (mayWait && !this.#isScheduled) this.#idleFrames += 1;
    else this.flushSoon();
  }

  /** Hands everything over with the frames of this turn. */
  flushSoon(): void {
    this.#idleFrames = 0;
    if (this.#isScheduled || !this.#schedule) return;
    this.#isScheduled = true;
    this.#schedule(this.#flush);
  }

  /** Writes a whole frame from byte strings and text. */
  frame(type: number, id: number, ...parts: readonly (Uint8Array | string)[]): void {
    this.begin(type, id);
    for (const part of parts) {
      if (typeof part === "string") this.utf8(part);
      else this.bytes(part);
    }
    this.end();
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#slab[at] = value;
    this.#at = at + 1;
  }

  u16(value: number): void {
    const at = this.#room(2);
    writeU16(this.#slab, at, value);
    this.#at = at + 2;
  }

  u32(value: number): void {
    const at = this.#room(4);
    writeU32(this.#slab, at, value);
    this.#at = at + 4;
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#at = this.#slab.writeDoubleLE(value, at);
  }

  /** Appends bytes as they are. */
  bytes(part: Uint8Array): void {
    const sizeBytes = part.length;
    if (sizeBytes > COPY_BYTES_MAX) {
      this.#seal();
      this.#chunks.push(part);
      this.#sealedBytes += sizeBytes;
      return;
    }
    const at = this.#room(sizeBytes);
    this.#slab.set(part, at);
    this.#at = at + sizeBytes;
  }

  /** Appends text as UTF-8 and returns its size in bytes. */
  utf8(text: string): number {
    const length = text.length;
    if (length > TEXT_IN_PLACE_MAX) {
      const part = Buffer.from(text, "utf8");
      this.bytes(part);
      return part.length;
    }
    const at = this.#room(length * 3);
    const sizeBytes = writeText(this.#slab, at, text);
    this.#at = at + sizeBytes;
    return sizeBytes;
  }

  /** Appends text with its size as u16 in front. @throws ChannelError above 65,535 bytes */
  text(text: string): void {
    const at = this.#room(2 + Math.min(text.length, 0x10000) * 3);
    const sizeBytes = text.length > 0xffff ? 0x10000 : writeText(this.#slab, at + 2, text);
    if (sizeBytes > 0xffff) {
      this.drop();
      throw new ChannelError("a text of more than 65,535 bytes");
    }
    writeU16(this.#slab, at, sizeBytes);
    this.#at = at + 2 + sizeBytes;
  }

  /** Appends bytes with their size as u16 in front. @throws ChannelError above 65,535 bytes */
  block(part: Uint8Array): void {
    if (part.length > 0xffff) {
      this.drop();
      throw new ChannelError("a block of more than 65,535 bytes");
    }
    this.u16(part.length);
    this.bytes(part);
  }

  /**
   * Makes room for `sizeBytes` in one piece and returns where it starts in {@link buffer};
   * whoever fills it says with {@link advance} how much was used.
   */
  reserve(sizeBytes: number): number {
    return this.#room(sizeBytes);
  }

  /** The memory that {@link reserve} speaks of. */
  get buffer(): Buffer {
    return this.#slab;
  }

  /** Ends what {@link reserve} began: `at` is where the next byte goes. */
  advance(at: number): void {
    this.#at = at;
  }

  /** Hands everything to the sink. */
  flush(): void {
    this.#frames = 0;
    this.#idleFrames = 0;
    const from = this.#from;
    const at = this.#at;
    if (this.#chunks.length > 0) this.#flushChunks();
    else if (at > from) {
      this.#from = at;
      this.#sealedBytes += at - from;
      this.writesTotal += 1;
      this.bytesTotal += at - from;
      this.#sink.write(this.#slab.subarray(from, at));
    }
  }

  #flushChunks(): void {
    this.#seal();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.writesTotal += 1;
    this.#sink.cork?.();
    for (const chunk of chunks) {
      this.bytesTotal += chunk.length;
      this.#sink.write(chunk);
    }
    this.#sink.uncork?.();
  }

  #position(): number {
    return this.#sealedBytes + this.#at - this.#from;
  }

  /** Takes the open frame back, so that the stream stays whole. */
  drop(): void {
    this.#chunks.length = this.#frameChunks;
    if (this.#frameAt > this.#frameFrom) {
      this.#chunks.push(this.#frameSlab.subarray(this.#frameFrom, this.#frameAt));
    }
    this.#from = this.#at;
    this.#sealedBytes = this.#framePosition;
  }

  /** Returns where `sizeBytes` may be written in the slab, taking a new one if need be. */
  #room(sizeBytes: number): number {
    if (this.#at + sizeBytes <= this.#slab.length) return this.#at;
    this.#seal();
    // The old slab may still be read by the system: it is only used again once nothing waits.
    const isReusable =
      this.#chunks.length === 0 &&
      this.#sink.writableLength === 0 &&
      sizeBytes <= this.#slab.length;
    if (!isReusable) this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, sizeBytes));
    this.#from = 0;
    this.#at = 0;
    return 0;
  }

  #seal(): void {
    if (this.#at === this.#from) return;
    this.#sealedBytes += this.#at - this.#from;
    this.#chunks.push(this.#slab.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }
}

function writeText(slab: Buffer, at: number, text: string): number {
  const length = text.length;
  if (length > SHORT_TEXT_MAX) return slab.write(text, at);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return slab.write(text, at);
    slab[at + i] = code;
  }
  return length;
}

function scheduleImmediate(flush: () => void): void {
  setImmediate(flush);
}
