import { decodePacket, MalformedPacket, type BrokerPacket } from "./packets.js";

/** A length stands in one to four bytes of seven bits each, the lowest first. */
const LENGTH_BITS_MAX = 28;
/** Topic and id of a message stand in this much. */
const MESSAGE_HEAD_BYTES = 2 + 65_535 + 2;

/**
 * Cuts what a broker sends into packets. Of one with more than `packetBytesMax` only the beginning is
 * kept, so that it can be acknowledged; no more than that is ever held.
 */
export class PacketReader {
  readonly #packetBytesMax: number;
  /** First byte of the packet that begins. */
  #first: number | undefined;
  /** Its length, as far as it was read. */
  #wholeBytes = 0;
  #lengthBits = 0;
  #body: PacketBody | undefined;

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = Math.max(packetBytesMax, MESSAGE_HEAD_BYTES);
  }

  /** The packets that are whole with these bytes. @throws MalformedPacket */
  *push(chunk: Buffer): Generator<BrokerPacket> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body) at += this.#body.push(chunk.subarray(at));
      else this.#readHead(chunk[at++] as number);
      if (this.#body?.isWhole) {
        const body = this.#body;
        this.#body = undefined;
        yield decodePacket(body.first, body.kept(), body.wholeBytes);
      }
    }
  }

  #readHead(byte: number): void {
    if (this.#first === undefined) {
      this.#first = byte;
      return;
    }
    this.#wholeBytes += (byte & 0x7f) * 2 ** this.#lengthBits;
    this.#lengthBits += 7;
    if (byte < 0x80) {
      const isKept = this.#wholeBytes <= this.#packetBytesMax;
      const keptBytes = isKept ? this.#wholeBytes : MESSAGE_HEAD_BYTES;
      this.#body = new PacketBody(this.#first, this.#wholeBytes, keptBytes);
      this.#first = undefined;
      this.#wholeBytes = 0;
      this.#lengthBits = 0;
    } else if (this.#lengthBits === LENGTH_BITS_MAX) {
      throw new MalformedPacket("a length of more than four bytes");
    }
  }
}

/** What follows the length of a packet, gathered from chunks. */
class PacketBody {
  readonly first: number;
  readonly wholeBytes: number;
  readonly #keptBytes: number;
  readonly #parts: Buffer[] = [];
  #arrivedBytes = 0;

  constructor(first: number, wholeBytes: number, keptBytes: number) {
    this.first = first;
    this.wholeBytes = wholeBytes;
    this.#keptBytes = keptBytes;
  }

  get isWhole(): boolean {
    return this.#arrivedBytes === this.wholeBytes;
  }

  kept(): Buffer {
    const [only] = this.#parts;
    return this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts);
  }

  /** Takes of `chunk` what belongs to it, and says how much that is. */
  push(chunk: Buffer): number {
    const taken = Math.min(chunk.length, this.wholeBytes - this.#arrivedBytes);
    const kept = Math.min(taken, Math.max(0, this.#keptBytes - this.#arrivedBytes));
    if (kept > 0) this.#parts.push(chunk.subarray(0, kept));
    this.#arrivedBytes += taken;
    return taken;
  }
}
