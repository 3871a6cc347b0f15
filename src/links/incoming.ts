import { LIMITS } from "../core/limits.js";
import {
  FRAME_HEAD_BYTES,
  FRAME_KIND,
  HEARTBEAT_BYTES,
  HEARTBEAT_LANE,
  LinkProtocolError,
  TOTAL_BYTES,
} from "./wire.js";

/** What comes out of a batch. */
export interface IncomingEvents {
  message(payload: Uint8Array): void;
  heartbeat(bytes: Uint8Array): void;
}

/** A message of which fragments have arrived. */
interface Partial {
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * Cuts batches of a peer into messages.
 *
 * Invariants: (1) there is at most one partial message per lane, of at most
 * `LIMITS.linkMessageBytesMax`; (2) nothing is allocated for a length that was not checked.
 */
export class Incoming {
  readonly #partials: (Partial | undefined)[] = [undefined, undefined, undefined];

  /** Calls `events` for all that `batch` completes. @throws LinkProtocolError */
  push(batch: Buffer, events: IncomingEvents): void {
    const end = batch.length;
    let at = 0;
    while (at < end) {
      if (end - at < FRAME_HEAD_BYTES) throw new LinkProtocolError("a frame's head is cut off");
      const head = batch[at] as number;
      const sizeBytes = batch.readUInt32LE(at + 1);
      let from = at + FRAME_HEAD_BYTES;
      if (head >>> 2 === FRAME_KIND.first) from += TOTAL_BYTES;
      if (sizeBytes > end - from) throw new LinkProtocolError("a frame is longer than its batch");
      at = from + sizeBytes;
      this.#frame(head, batch, from, at, events);
    }
  }

  #frame(head: number, batch: Buffer, from: number, to: number, events: IncomingEvents): void {
    const lane = head & 3;
    const kind = head >>> 2;
    if (head === HEARTBEAT_LANE) {
      if (to - from !== HEARTBEAT_BYTES) throw new LinkProtocolError("a malformed heartbeat");
      events.heartbeat(batch.subarray(from, to));
    } else if (lane === HEARTBEAT_LANE || kind > FRAME_KIND.last) {
      throw new LinkProtocolError(`a frame of unknown kind ${head}`);
    } else if (kind === FRAME_KIND.whole || kind === FRAME_KIND.first) {
      if (this.#partials[lane]) throw new LinkProtocolError("a message begins within another");
      if (kind === FRAME_KIND.whole) events.message(copy(batch, from, to));
      else this.#partials[lane] = begin(batch, from, to);
    } else {
      this.#continue(lane, batch.subarray(from, to), kind === FRAME_KIND.last, events);
    }
  }

  #continue(lane: number, fragment: Buffer, isLast: boolean, events: IncomingEvents): void {
    const partial = this.#partials[lane];
    if (!partial) throw new LinkProtocolError("a fragment without a beginning");
    const at = partial.at + fragment.length;
    if (
      fragment.length === 0 ||
      at > partial.bytes.length ||
      (at === partial.bytes.length) !== isLast
    ) {
      throw new LinkProtocolError("fragments that do not add up to their message");
    }
    partial.bytes.set(fragment, partial.at);
    partial.at = at;
    if (!isLast) return;
    this.#partials[lane] = undefined;
    events.message(partial.bytes);
  }
}

/** why a copy: a view would keep the whole batch alive for as long as the receiver keeps a few bytes. */
function copy(batch: Buffer, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(to - from);
  bytes.set(batch.subarray(from, to));
  return bytes;
}

function begin(batch: Buffer, from: number, to: number): Partial {
  const totalBytes = batch.readUInt32LE(from - TOTAL_BYTES);
  const sizeBytes = to - from;
  if (totalBytes > LIMITS.linkMessageBytesMax) {
    throw new LinkProtocolError(`a message of ${totalBytes} bytes is outside the limits`);
  }
  if (sizeBytes === 0 || sizeBytes >= totalBytes) {
    throw new LinkProtocolError("fragments that do not add up to their message");
  }
  const bytes = new Uint8Array(totalBytes);
  bytes.set(batch.subarray(from, to), 0);
  return { bytes, at: sizeBytes };
}
