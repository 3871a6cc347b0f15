import { LIMITS } from "../core/limits.js";
import {
  BATCH_BYTES_MAX,
  FRAME_HEAD_BYTES,
  FRAME_KIND,
  HEARTBEAT_BYTES,
  HEARTBEAT_LANE,
  LANES,
  TOTAL_BYTES,
} from "./wire.js";

/** A fragment is not cut smaller than this to fill the end of a batch. */
const FRAGMENT_BYTES_MIN = 4096;
/** What each waiting lane gets of every batch, however much the lanes above have to say. */
const SHARE_BYTES = 8192;
/** Most that the heads of one fragment take. */
const HEADS_BYTES_MAX = FRAME_HEAD_BYTES + TOTAL_BYTES;
/** What a message that waits takes beside its bytes. */
const MESSAGE_OVERHEAD_BYTES = 128;
/** Messages that have left are dropped from the front of a queue in portions of this many. */
const COMPACT_LENGTH = 1024;

/** The messages of one lane that wait. */
class Lane {
  readonly number: number;
  /** What has not left: the rest of a message that is being cut included. */
  backlogBytes = 0;
  /** A message was refused since there was room. */
  isRefusing = false;
  #messages: Uint8Array[] = [];
  /** The first message that has not left, and how much of it has. */
  #at = 0;
  #offset = 0;

  constructor(number: number) {
    this.number = number;
  }

  get isWaiting(): boolean {
    return this.#at < this.#messages.length;
  }

  get memoryBytes(): number {
    return this.backlogBytes + (this.#messages.length - this.#at) * MESSAGE_OVERHEAD_BYTES;
  }

  /** Upper bound of what all that waits takes as frames. */
  get frameBytesMax(): number {
    return this.backlogBytes + (this.#messages.length - this.#at) * HEADS_BYTES_MAX;
  }

  offer(message: Uint8Array): boolean {
    if (this.memoryBytes + message.length > LIMITS.linkBacklogBytesMax) {
      this.isRefusing = true;
      return false;
    }
    this.backlogBytes += message.length;
    this.#messages.push(message);
    return true;
  }

  /** Writes frames from `start` up to `end` at most and returns where they end. */
  take(batch: Buffer, start: number, end: number): number {
    let at = start;
    while (this.isWaiting) {
      const message = this.#messages[this.#at] as Uint8Array;
      const leftBytes = message.length - this.#offset;
      const isWhole = this.#offset === 0 && at + FRAME_HEAD_BYTES + leftBytes <= end;
      if (isWhole) at = this.#frame(batch, at, FRAME_KIND.whole, message, leftBytes);
      else {
        const room = end - at - HEADS_BYTES_MAX;
        if (room < Math.min(leftBytes, FRAGMENT_BYTES_MIN)) return at;
        at = this.#fragment(batch, at, message, Math.min(leftBytes, room));
        if (this.#offset > 0) return at;
      }
    }
    return at;
  }

  #fragment(batch: Buffer, at: number, message: Uint8Array, sizeBytes: number): number {
    if (this.#offset === 0) return this.#frame(batch, at, FRAME_KIND.first, message, sizeBytes);
    const isLast = this.#offset + sizeBytes === message.length;
    const kind = isLast ? FRAME_KIND.last : FRAME_KIND.middle;
    return this.#frame(batch, at, kind, message, sizeBytes);
  }

  #frame(
    batch: Buffer,
    start: number,
    kind: number,
    message: Uint8Array,
    sizeBytes: number,
  ): number {
    batch[start] = (kind << 2) | this.number;
    let at = batch.writeUInt32LE(sizeBytes, start + 1);
    if (kind === FRAME_KIND.first) at = batch.writeUInt32LE(message.length, at);
    const isAll = sizeBytes === message.length;
    batch.set(isAll ? message : message.subarray(this.#offset, this.#offset + sizeBytes), at);
    this.#offset += sizeBytes;
    this.backlogBytes -= sizeBytes;
    if (this.#offset === message.length) this.#next();
    return at + sizeBytes;
  }

  #next(): void {
    // why: the array would keep a message alive that has left.
    this.#messages[this.#at] = EMPTY;
    this.#at += 1;
    this.#offset = 0;
    if (this.#at === this.#messages.length) {
      this.#messages = [];
      this.#at = 0;
    } else if (this.#at >= COMPACT_LENGTH && this.#at * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#at);
      this.#at = 0;
    }
  }
}

const EMPTY = new Uint8Array(0);

/**
 * What waits to be sent on one link, and how it is cut into batches: the more urgent lane first,
 * large messages in fragments, so that no message waits for the whole of another lane's.
 *
 * Invariants: (1) a lane never takes more memory than `LIMITS.linkBacklogBytesMax`; (2) each lane leaves in
 * order, and has at most one message that is partly sent.
 */
export class Outgoing {
  readonly #lanes = LANES.map((_, number) => new Lane(number));
  /** Heartbeats to send: at most one question and one answer, the newest of each. */
  readonly #heartbeats = new Map<number, Uint8Array>();

  get isEmpty(): boolean {
    return this.#heartbeats.size === 0 && this.#lanes.every((lane) => !lane.isWaiting);
  }

  backlogBytes(lane: number): number {
    return (this.#lanes[lane] as Lane).backlogBytes;
  }

  /** Takes a message in; false if the lane is full. */
  offer(lane: number, message: Uint8Array): boolean {
    return (this.#lanes[lane] as Lane).offer(message);
  }

  /** Sends a heartbeat with the next batch, before everything else. */
  heartbeat(kind: number, bytes: Uint8Array): void {
    this.#heartbeats.set(kind, bytes);
  }

  /** The frames to send next, in memory of their own. Call it while there is something. */
  nextBatch(): Buffer {
    const waiting = this.#lanes.filter((lane) => lane.isWaiting);
    const heartbeatBytes = this.#heartbeats.size * (FRAME_HEAD_BYTES + HEARTBEAT_BYTES);
    const wanted = waiting.reduce((sum, lane) => sum + lane.frameBytesMax, heartbeatBytes);
    const batch = Buffer.allocUnsafe(Math.min(wanted, BATCH_BYTES_MAX));
    let at = this.#takeHeartbeats(batch);
    for (const [index, lane] of waiting.entries()) {
      const lower = waiting.slice(index + 1);
      const kept = lower.reduce(
        (sum, { frameBytesMax }) => sum + Math.min(frameBytesMax, SHARE_BYTES),
        0,
      );
      at = lane.take(batch, at, batch.length - kept);
    }
    return batch.subarray(0, at);
  }

  /** Lanes that refused a message and have room again; each is told once. */
  takeRelieved(): number[] {
    const relieved = this.#lanes.filter(
      (lane) => lane.isRefusing && lane.memoryBytes <= LIMITS.linkBacklogBytesMax / 2,
    );
    for (const lane of relieved) lane.isRefusing = false;
    return relieved.map(({ number }) => number);
  }

  #takeHeartbeats(batch: Buffer): number {
    let at = 0;
    for (const bytes of this.#heartbeats.values()) {
      batch[at] = HEARTBEAT_LANE;
      at = batch.writeUInt32LE(bytes.length, at + 1);
      batch.set(bytes, at);
      at += bytes.length;
    }
    this.#heartbeats.clear();
    return at;
  }
}
