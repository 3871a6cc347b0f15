import { LIMITS } from "../../core/limits.js";
import type { Clock } from "../../ports/clock.js";
import type { Block } from "./options.js";

/** What {@link Transfers.receive} makes of a block. */
export type ReceivedBlock =
  /** More blocks are to come. */
  | { readonly state: "continue" }
  | { readonly state: "complete"; readonly body: Buffer }
  /** It does not follow what is here, or that was given up. */
  | { readonly state: "incomplete" }
  | { readonly state: "too-large" };

/** A body that is being sent block by block. */
export interface KeptAnswer {
  readonly body: Buffer;
  readonly contentFormat: number;
  readonly code: number;
  readonly etag: Buffer;
}

interface Incoming {
  readonly kind: "incoming";
  /** Grows by doubling: a buffer per block would cost many times the bytes of small blocks. */
  readonly room: Buffer;
  readonly receivedBytes: number;
  readonly expiresMs: number;
}

interface Outgoing {
  readonly kind: "outgoing";
  readonly answer: KeptAnswer;
  readonly expiresMs: number;
}

const ROOM_BYTES_MIN = 4096;

/**
 * Bodies that are on their way in blocks (RFC 7959), each under the name of its exchange.
 *
 * All of them together stay within `coapTransfersMax` and `coapTransferBytesMax`: for a newer one, the
 * one that has stood still for longest is given up. Nothing is kept longer than
 * `coapTransferIdleMs` after its last block.
 */
export class Transfers {
  readonly #clock: Clock;
  readonly #bodyBytesMax: number;
  /** The one that moved last comes last. */
  readonly #all = new Map<string, Incoming | Outgoing>();
  #heldBytes = 0;

  constructor(options: { readonly clock: Clock; readonly bodyBytesMax: number }) {
    this.#clock = options.clock;
    this.#bodyBytesMax = options.bodyBytesMax;
  }

  /** How many bodies are on their way, and their bytes. */
  get size(): { readonly transfers: number; readonly bytes: number } {
    return { transfers: this.#all.size, bytes: this.#heldBytes };
  }

  /** Takes one block of a request's body; the first begins anew. */
  receive(name: string, block: Block, payload: Buffer): ReceivedBlock {
    this.#expire();
    const key = `in ${name}`;
    const found = this.#take(key);
    const before = block.number > 0 && found?.kind === "incoming" ? found : undefined;
    const startBytes = before?.receivedBytes ?? 0;
    const isNext = block.number * block.sizeBytes === startBytes;
    const isWhole = block.isMore ? payload.length === block.sizeBytes : true;
    if (!isNext || !isWhole || payload.length > block.sizeBytes) return { state: "incomplete" };
    const receivedBytes = startBytes + payload.length;
    if (receivedBytes > this.#bodyBytesMax) return { state: "too-large" };
    const room = withRoom(before?.room, startBytes, receivedBytes);
    payload.copy(room, startBytes);
    if (!block.isMore) return { state: "complete", body: room.subarray(0, receivedBytes) };
    this.#put(key, { kind: "incoming", room, receivedBytes, expiresMs: this.#expiry() });
    return { state: "continue" };
  }

  /** Keeps an answer, so that its further blocks can be asked for. */
  keep(name: string, answer: KeptAnswer): void {
    this.#expire();
    const key = `out ${name}`;
    this.#take(key);
    this.#put(key, { kind: "outgoing", answer, expiresMs: this.#expiry() });
  }

  /** The kept answer of that name; `undefined` if it was given up. */
  kept(name: string): KeptAnswer | undefined {
    this.#expire();
    const key = `out ${name}`;
    const found = this.#take(key);
    if (found?.kind !== "outgoing") return undefined;
    this.#put(key, { ...found, expiresMs: this.#expiry() });
    return found.answer;
  }

  #expiry(): number {
    return this.#clock.monotonicMs() + LIMITS.coapTransferIdleMs;
  }

  #take(key: string): Incoming | Outgoing | undefined {
    const found = this.#all.get(key);
    if (!found) return undefined;
    this.#all.delete(key);
    this.#heldBytes -= heldBytes(found);
    return found;
  }

  #put(key: string, transfer: Incoming | Outgoing): void {
    this.#all.set(key, transfer);
    this.#heldBytes += heldBytes(transfer);
    for (const oldest of this.#all.keys()) {
      const isWithin =
        this.#all.size <= LIMITS.coapTransfersMax && this.#heldBytes <= LIMITS.coapTransferBytesMax;
      if (isWithin || oldest === key) return;
      this.#take(oldest);
    }
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { expiresMs }] of this.#all) {
      if (expiresMs > nowMs) return;
      this.#take(key);
    }
  }
}

function heldBytes(transfer: Incoming | Outgoing): number {
  return transfer.kind === "incoming" ? transfer.room.length : transfer.answer.body.length;
}

/** `room` itself, or a larger copy of what it holds. */
function withRoom(room: Buffer | undefined, usedBytes: number, neededBytes: number): Buffer {
  if (room && neededBytes <= room.length) return room;
  const larger = Buffer.alloc(Math.max(ROOM_BYTES_MIN, neededBytes, 2 * usedBytes));
  room?.copy(larger, 0, 0, usedBytes);
  return larger;
}
