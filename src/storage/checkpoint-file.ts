import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { writeFileDurably } from "./durable-files.js";

/**
 * One committed state of a store that is wholly on stable storage: LMDB's two meta pages as they
 * were at the time, from which everything else of that state can be reached.
 */
export interface Checkpoint {
  /** Counts up; the higher of two is the newer. */
  readonly sequence: number;
  /** The run of the operating system in which it was taken. */
  readonly bootId: string;
  readonly metaPages: Uint8Array;
}

/** Size of the meta pages at the head of an LMDB file, in bytes: two of 4 KiB. */
export const META_PAGES_SIZE_BYTES = 8192;

const MAGIC = "ENOKICP1";
const HASH_SIZE_BYTES = 32;
const SEQUENCE_OFFSET = HASH_SIZE_BYTES + MAGIC.length;
const BOOT_ID_OFFSET = SEQUENCE_OFFSET + 8;
const BOOT_ID_SIZE_BYTES = 64;
const META_PAGES_OFFSET = 4096;
const SLOT_SIZE_BYTES = META_PAGES_OFFSET + META_PAGES_SIZE_BYTES;
const SLOTS = 2;

/**
 * The file with the last two checkpoints of a store, in turn: while one is written, the other is
 * whole. A checkpoint that a power cut tore fails its hash and does not count.
 *
 * Layout, twice: SHA-256 of the rest of the slot, magic, sequence (u64, big endian), boot id (UTF-8,
 * padded with zeros to 64 bytes), zeros up to byte 4096, meta pages.
 */
export class CheckpointFile {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Creates the file with its first checkpoint, on stable storage when the promise resolves. */
  static async create(path: string, first: Checkpoint): Promise<void> {
    const content = Buffer.alloc(SLOTS * SLOT_SIZE_BYTES);
    encode(first).copy(content, slotOffset(first));
    await writeFileDurably(path, content);
  }

  static async open(path: string): Promise<CheckpointFile> {
    // With O_DSYNC a write is on stable storage when it returns: one call instead of two.
    return new CheckpointFile(await open(path, constants.O_RDWR | constants.O_DSYNC));
  }

  /** Returns the newest whole checkpoint; `undefined` if both are damaged. */
  async read(): Promise<Checkpoint | undefined> {
    const content = Buffer.alloc(SLOTS * SLOT_SIZE_BYTES);
    await this.#file.read(content, 0, content.length, 0);
    let newest: Checkpoint | undefined;
    for (let slot = 0; slot < SLOTS; slot++) {
      const found = decode(content.subarray(slot * SLOT_SIZE_BYTES, (slot + 1) * SLOT_SIZE_BYTES));
      if (found && found.sequence > (newest?.sequence ?? -1)) newest = found;
    }
    return newest;
  }

  /** Puts `checkpoint` in the place of the older of the two; resolves when it is on stable storage. */
  async write(checkpoint: Checkpoint): Promise<void> {
    const slot = encode(checkpoint);
    const { bytesWritten } = await this.#file.write(slot, 0, slot.length, slotOffset(checkpoint));
    if (bytesWritten !== slot.length)
      throw new Error(`wrote ${bytesWritten} of ${slot.length} bytes of a checkpoint`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function slotOffset({ sequence }: Checkpoint): number {
  return (sequence % SLOTS) * SLOT_SIZE_BYTES;
}

function encode({ sequence, bootId, metaPages }: Checkpoint): Buffer {
  const slot = Buffer.alloc(SLOT_SIZE_BYTES);
  slot.write(MAGIC, HASH_SIZE_BYTES, "latin1");
  slot.writeBigUInt64BE(BigInt(sequence), SEQUENCE_OFFSET);
  slot.write(bootId, BOOT_ID_OFFSET, BOOT_ID_SIZE_BYTES, "utf8");
  slot.set(metaPages, META_PAGES_OFFSET);
  hashOf(slot).copy(slot);
  return slot;
}

function decode(slot: Buffer): Checkpoint | undefined {
  if (slot.toString("latin1", HASH_SIZE_BYTES, SEQUENCE_OFFSET) !== MAGIC) return undefined;
  if (!hashOf(slot).equals(slot.subarray(0, HASH_SIZE_BYTES))) return undefined;
  const bootId = slot.toString("utf8", BOOT_ID_OFFSET, BOOT_ID_OFFSET + BOOT_ID_SIZE_BYTES);
  return {
    sequence: Number(slot.readBigUInt64BE(SEQUENCE_OFFSET)),
    bootId: bootId.replace(/\0+$/, ""),
    metaPages: new Uint8Array(slot.subarray(META_PAGES_OFFSET)),
  };
}

function hashOf(slot: Buffer): Buffer {
  return createHash("sha256").update(slot.subarray(HASH_SIZE_BYTES)).digest();
}
