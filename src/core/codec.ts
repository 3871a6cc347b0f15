import { cutBytes } from "../base/byte-room.js";
import { AssertionError } from "../base/assert.js";
import { EnokiError } from "./errors.js";

/**
 * Numbers as bytes. All are non-negative safe integers.
 *
 * A *varint* is seven bits a byte, lowest first, the top bit set on all but the last. An *ordered*
 * number is one byte that counts the bytes that follow, then those bytes, highest first: byte
 * strings made of ordered numbers sort as the numbers do.
 */

/** Bytes that {@link writeVarint} takes for `value`. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes `value` at `offset` and returns the offset behind it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** Bytes that {@link writeOrdered} takes for `value`. */
export function orderedSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 0x100)) size++;
  return size;
}

/** Writes `value` at `offset` in its ordered form and returns the offset behind it. */
export function writeOrdered(target: Uint8Array, offset: number, value: number): number {
  const size = orderedSize(value);
  target[offset] = size - 1;
  let rest = value;
  for (let at = offset + size - 1; at > offset; at--) {
    target[at] = rest % 0x100;
    rest = Math.floor(rest / 0x100);
  }
  return offset + size;
}

/**
 * Reads what the functions above wrote, from front to back. Bytes that are wrong are a bug where they
 * are our own, and an {@link EnokiError} `ENOKI_PROTOCOL` where they are a peer's
 * ({@link ByteReader.foreign}).
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset: number;
  readonly #isForeign: boolean;

  constructor(bytes: Uint8Array, offset = 0, isForeign = false) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#isForeign = isForeign;
  }

  /** A reader of bytes that a peer sent. */
  static foreign(bytes: Uint8Array): ByteReader {
    return new ByteReader(bytes, 0, true);
  }

  /** Where the next read begins. */
  get offset(): number {
    return this.#offset;
  }

  /** True when nothing is left. */
  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** Ends the reading unless `condition` holds. */
  require(condition: boolean, problem: string): void {
    if (!condition) this.#fail(problem);
  }

  /** The next byte. */
  byte(): number {
    if (this.#offset >= this.#bytes.length) this.#fail("the encoded bytes end too early");
    return this.#bytes[this.#offset++] as number;
  }

  /** The next varint. */
  varint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 0x80; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (byte === 0 || value > Number.MAX_SAFE_INTEGER) break;
      return value;
    }
    return this.#fail("an encoded number is too long");
  }

  /** The next ordered number. */
  ordered(): number {
    const size = this.byte();
    this.require(size <= 7, "an encoded number is too long");
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 0x100 + this.byte();
    return value;
  }

  /** The next `sizeBytes` bytes, as a view of the source. */
  take(sizeBytes: number): Uint8Array {
    const end = this.#offset + sizeBytes;
    if (end > this.#bytes.length) this.#fail("the encoded bytes end too early");
    const view = cutBytes(this.#bytes, this.#offset, end);
    this.#offset = end;
    return view;
  }

  /** A varint count and that many entries, each of at least `entryBytesMin` bytes. */
  list<T>(entryBytesMin: number, read: (reader: ByteReader) => T): T[] {
    const count = this.varint();
    const left = this.#bytes.length - this.#offset;
    if (count * entryBytesMin > left) this.#fail("a list is longer than the bytes that follow");
    const entries: T[] = [];
    for (let i = 0; i < count; i++) entries.push(read(this));
    return entries;
  }

  /** All bytes that are left, as a view of the source. */
  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#offset);
  }

  #fail(problem: string): never {
    if (this.#isForeign) {
      throw new EnokiError("ENOKI_PROTOCOL", `${problem}, at byte ${this.#offset}`);
    }
    throw new AssertionError(problem);
  }
}

/** Gathers bytes of unknown size; for everything that is not on the path of a plain write. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(sizeBytesHint = 64) {
    this.#bytes = new Uint8Array(sizeBytesHint);
  }

  /** Appends one byte. */
  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Appends a varint. */
  varint(value: number): this {
    this.#reserve(8);
    this.#length = writeVarint(this.#bytes, this.#length, value);
    return this;
  }

  /** Appends bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Appends a varint length and the bytes. */
  sized(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** A copy of everything appended. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#length + sizeBytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
