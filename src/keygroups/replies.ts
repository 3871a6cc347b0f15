import type { FrameSink } from "../channel/frame-writer.js";
import { ChannelError, FrameWriter } from "../channel/frames.js";
import { EnokiError } from "../core/errors.js";

/** Length of a frame's header before its type, and of its id behind that. */
const LENGTH_BYTES = 4;
const ID_BYTES = 4;

/** A frame without its header. */
export interface Reply {
  readonly type: number;
  readonly payload: Buffer;
}

/** Takes frames that are written for an instance, one by one, for whoever waits for each. */
export class Replies implements FrameSink {
  readonly writableLength = 0;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #writer: FrameWriter;
  #chunks: Uint8Array[] = [];
  #lastId = 0;

  constructor() {
    this.#writer = new FrameWriter(this, {
      schedule: (flush) => {
        flush();
        this.#taken();
      },
    });
  }

  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  /** Resolves with the frame that `serve` has written; what is malformed is `ENOKI_PROTOCOL`. */
  async next(serve: (writer: FrameWriter, id: number) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      try {
        this.take(serve, resolve);
      } catch (error) {
        const isMalformed = error instanceof ChannelError;
        reject(isMalformed ? new EnokiError("ENOKI_PROTOCOL", error.message) : error);
      }
    });
  }

  /** Hands the frame that `serve` writes to `taken` as soon as it is written. Throws what `serve` throws. */
  take(serve: (writer: FrameWriter, id: number) => void, taken: (reply: Reply) => void): void {
    this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const id = this.#lastId;
    this.#waiting.set(id, taken);
    try {
      serve(this.#writer, id);
    } catch (error) {
      this.#waiting.delete(id);
      throw error;
    }
  }

  #taken(): void {
    const frame = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const id = frame.readUInt32LE(LENGTH_BYTES + 1);
    const type = frame[LENGTH_BYTES] as number;
    const taken = this.#waiting.get(id);
    this.#waiting.delete(id);
    taken?.({ type, payload: frame.subarray(LENGTH_BYTES + 1 + ID_BYTES) });
  }
}
