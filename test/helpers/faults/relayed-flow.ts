import type { Socket } from "node:net";

/** What happens to all that goes from one node to another. */
export interface Way {
  /** Nothing arrives: it waits, as TCP sends again what gets lost until the way is free. */
  isHeld: boolean;
  delayMs: number;
}

/** What may wait on the way; beyond that the sender has to. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

/** One direction of one connection. */
export class RelayedFlow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #way: Way;
  readonly #waiting: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  #waitingBytes = 0;
  #isSourceGone = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, sink: Socket, way: Way) {
    this.#source = source;
    this.#sink = sink;
    this.#way = way;
    source.on("data", (chunk: Buffer) => {
      this.#waiting.push({ chunk, dueMs: performance.now() + way.delayMs });
      this.#waitingBytes += chunk.length;
      this.pump();
    });
    source.on("error", () => {});
    source.on("close", () => {
      this.#isSourceGone = true;
      this.pump();
    });
    sink.on("drain", () => this.pump());
    sink.on("close", () => clearTimeout(this.#timer));
  }

  /** Lets through what may pass now. */
  pump(): void {
    clearTimeout(this.#timer);
    while (!this.#way.isHeld && !this.#sink.writableNeedDrain) {
      const [next] = this.#waiting;
      if (!next) {
        if (this.#isSourceGone) this.#sink.destroySoon();
        break;
      }
      const earlyMs = next.dueMs - performance.now();
      if (earlyMs > 0) {
        this.#timer = setTimeout(() => this.pump(), earlyMs);
        break;
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.chunk.length;
      this.#sink.write(next.chunk);
    }
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#source.pause();
    else this.#source.resume();
  }
}
