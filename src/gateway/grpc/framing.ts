import { EnokiError } from "../../core/errors.js";

/** A flag, and the length in four bytes, stand before each message. */
const PREFIX_BYTES = 5;

/**
 * Gathers the one message of a unary call. What is too large is refused as soon as its length is
 * known, and is not kept.
 */
export class MessageReader {
  readonly #sizeBytesMax: number;
  #parts: Buffer[] = [];
  #gatheredBytes = 0;
  /** Of the message with its prefix; `undefined` = not known yet. */
  #wholeBytes: number | undefined;

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** @throws EnokiError `ENOKI_BODY_TOO_LARGE`, `ENOKI_INVALID_INPUT`, `ENOKI_UNSUPPORTED` */
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#wholeBytes === undefined && this.#gatheredBytes >= PREFIX_BYTES) {
      this.#wholeBytes = PREFIX_BYTES + this.#readPrefix();
    }
    if (this.#wholeBytes !== undefined && this.#gatheredBytes > this.#wholeBytes) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "the call has more than one message");
    }
  }

  /** The message, once the caller has sent all. @throws EnokiError `ENOKI_INVALID_INPUT` if it is not whole */
  end(): Buffer {
    if (this.#gatheredBytes !== this.#wholeBytes) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "the call ends before its message does");
    }
    return this.#joined().subarray(PREFIX_BYTES);
  }

  #readPrefix(): number {
    const prefix = this.#joined();
    if (prefix.readUInt8(0) !== 0) {
      throw new EnokiError("ENOKI_UNSUPPORTED", "this node takes no compressed messages");
    }
    const sizeBytes = prefix.readUInt32BE(1);
    if (sizeBytes <= this.#sizeBytesMax) return sizeBytes;
    throw new EnokiError("ENOKI_BODY_TOO_LARGE", `a message may have ${this.#sizeBytesMax} bytes`);
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    if (this.#parts.length === 1 && first) return first;
    const joined = Buffer.concat(this.#parts, this.#gatheredBytes);
    this.#parts = [joined];
    return joined;
  }
}

/** A message as it travels. */
export function frameMessage(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
