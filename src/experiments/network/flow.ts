import type { Socket } from "node:net";

import type { LinkShape } from "./link-shape.js";
import { OneWay } from "./one-way.js";

/** Two ends of a connection, as one direction sees them. */
interface Ends {
  readonly from: Socket;
  readonly to: Socket;
}

/** Something on its way: bytes, or the news that their sender says no more, or is gone. */
interface Piece extends Ends {
  readonly carried: Buffer | "end" | "gone";
  readonly arrivesMs: number;
}

/** Beside what is on its way. */
const WAITING_BYTES_MAX = 256 * 1024;
/** Pieces that were delivered are dropped so many at a time. */
const DROPPED_MIN = 1024;

/** What flows one way over a link, of all its connections, in one order. */
export class Flow {
  readonly #way: OneWay;
  readonly #backlogBytesMax: number;
  readonly #changed: () => void;
  /** Connections that have not begun, in the order in which they will. */
  readonly #opening: { readonly from: Socket; readonly atMs: number }[] = [];
  readonly #pieces: Piece[] = [];
  #head = 0;
  #waitingBytes = 0;
  readonly #held = new Set<Socket>();

  /** `changed`: {@link nextMs} may be another one. */
  constructor(shape: LinkShape, random: () => number, changed: () => void) {
    this.#way = new OneWay(shape, random);
    this.#backlogBytesMax = shape.backlogBytesMax ?? backlogBytesMax(shape);
    this.#changed = changed;
  }

  /** When the next thing happens here; Infinity = nothing will. */
  get nextMs(): number {
    const arrivesMs = this.#pieces[this.#head]?.arrivesMs ?? Infinity;
    return Math.min(arrivesMs, this.#opening[0]?.atMs ?? Infinity);
  }

  /** Carries what `from` receives to `to`, at once or after `afterMs`, which is the same for all. */
  carry(from: Socket, to: Socket, afterMs: number): void {
    if (afterMs > 0) {
      from.pause();
      this.#opening.push({ from, atMs: performance.now() + afterMs });
    }
    from.on("data", (chunk: Buffer) => this.#add({ from, to }, chunk));
    from.on("end", () => this.#say({ from, to }, "end"));
    from.on("close", () => {
      this.#held.delete(from);
      this.#say({ from, to }, "gone");
    });
    this.#changed();
  }

  /** Lets happen what is due. */
  deliver(nowMs: number): void {
    while (this.#opening[0] && this.#opening[0].atMs <= nowMs) this.#opening.shift()?.from.resume();
    for (;;) {
      const piece = this.#pieces[this.#head];
      if (!piece || piece.arrivesMs > nowMs) break;
      this.#head += 1;
      this.#hand(piece);
    }
    if (this.#head >= DROPPED_MIN || this.#head === this.#pieces.length) {
      this.#pieces.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#waitingBytes > this.#backlogBytesMax / 2) return;
    for (const from of this.#held) from.resume();
    this.#held.clear();
  }

  #hand({ from, to, carried }: Piece): void {
    if (carried === "end") to.end();
    else if (carried === "gone") to.destroySoon();
    else {
      this.#waitingBytes -= carried.length;
      if (to.destroyed || to.write(carried)) return;
      from.pause();
      // What is on its way already comes on: one of these is enough.
      if (to.listenerCount("drain") === 0) to.once("drain", () => from.resume());
    }
  }

  #add(ends: Ends, chunk: Buffer): void {
    const nowMs = performance.now();
    const { pieceBytes } = this.#way;
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const carried = chunk.subarray(at, at + pieceBytes);
      const arrivesMs = this.#way.arrivalMs(nowMs, carried.length);
      this.#pieces.push({ ...ends, carried, arrivesMs });
    }
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= this.#backlogBytesMax) {
      ends.from.pause();
      this.#held.add(ends.from);
    }
    this.#changed();
  }

  #say(ends: Ends, carried: "end" | "gone"): void {
    const arrivesMs = this.#way.arrivalMs(performance.now(), 0);
    this.#pieces.push({ ...ends, carried, arrivesMs });
    this.#changed();
  }
}

/**
 * Twice what is on its way at the full rate, and some more: senders go on when half of it is left, and
 * the link must not run dry.
 */
function backlogBytesMax({ bitsPerS, delayMs, jitterMs = 0 }: LinkShape): number {
  if (bitsPerS === undefined) return Infinity;
  return WAITING_BYTES_MAX + (2 * (delayMs + jitterMs) * bitsPerS) / 8000;
}
