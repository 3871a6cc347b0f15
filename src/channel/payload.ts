/** The peer broke the protocol; the channel must be closed. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** Throws a {@link ChannelError} unless `condition` holds. */
export function expectProtocol(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ChannelError(message);
}

/**
 * Reads a payload from front to back. Every read is checked against the end of the payload and
 * throws {@link ChannelError} beyond it.
 */
export class PayloadReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.#at = at;
  }

  u8(): number {
    return this.#buffer[this.skip(1)] as number;
  }

  u16(): number {
    return readU16(this.#buffer, this.skip(2));
  }

  u32(): number {
    return readU32(this.#buffer, this.skip(4));
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.skip(8));
  }

  /** Passes over `sizeBytes` and returns where they start. */
  skip(sizeBytes: number): number {
    const at = this.#at;
    const next = at + sizeBytes;
    expectProtocol(next <= this.#buffer.length, "a payload is shorter than it should be");
    this.#at = next;
    return at;
  }

  /** The next `sizeBytes` bytes, not copied. */
  bytes(sizeBytes: number): Buffer {
    const at = this.skip(sizeBytes);
    return this.#buffer.subarray(at, at + sizeBytes);
  }

  /** A u16 length and that many bytes, not copied: a key. */
  block(): Buffer {
    return this.bytes(this.u16());
  }

  /** A u16 length and that much UTF-8. */
  text(): string {
    const sizeBytes = this.u16();
    const at = this.skip(sizeBytes);
    return this.#buffer.toString("utf8", at, at + sizeBytes);
  }

  /** Everything that is left, not copied. */
  rest(): Buffer {
    return this.bytes(this.#buffer.length - this.#at);
  }

  /** Throws unless everything was read. */
  end(): void {
    expectProtocol(this.#at === this.#buffer.length, "a payload is longer than it should be");
  }
}

/** A little-endian u16; `at` must lie inside. */
export function readU16(buffer: Uint8Array, at: number): number {
  return (buffer[at] as number) | ((buffer[at + 1] as number) << 8);
}

/** A little-endian u32; `at` must lie inside. */
export function readU32(buffer: Uint8Array, at: number): number {
  const high = (buffer[at + 3] as number) * 0x1000000;
  return (
    ((buffer[at] as number) |
      ((buffer[at + 1] as number) << 8) |
      ((buffer[at + 2] as number) << 16)) +
    high
  );
}

/** Writes a little-endian u16. */
export function writeU16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
}

/** Writes a little-endian u32. */
export function writeU32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}
