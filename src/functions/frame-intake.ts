import type { Socket } from "node:net";

import { FrameReader, type FrameWriter } from "../channel/frames.js";
import type { FrameHandler } from "../channel/frame-reader.js";
import { LIMITS } from "../core/limits.js";

/** What a {@link FrameIntake} is made from. */
export interface FrameIntakeOptions {
  readonly channel: Socket;
  /** What goes the other way. */
  readonly writer: FrameWriter;
  readonly onFrame: FrameHandler;
  /** Called once with whatever a frame brought about; no further frame is handed on. */
  readonly onBroken: (error: unknown) => void;
}

interface Frame {
  readonly type: number;
  readonly id: number;
  readonly payload: Buffer;
}

/**
 * Takes frames from a guest, but none while it leaves too much of what it was sent unread: who asks
 * for more than it reads has to wait, and the node's memory is bounded.
 */
export class FrameIntake {
  readonly #channel: Socket;
  readonly #writer: FrameWriter;
  readonly #onFrame: FrameHandler;
  readonly #onBroken: (error: unknown) => void;
  readonly #reader = new FrameReader();
  /** Frames of a chunk that was already read when the guest fell behind, oldest first. */
  #held: Frame[] = [];
  #isPaused = false;
  #isBroken = false;

  constructor(options: FrameIntakeOptions) {
    this.#channel = options.channel;
    this.#writer = options.writer;
    this.#onFrame = options.onFrame;
    this.#onBroken = options.onBroken;
  }

  /** Begins to take frames. */
  start(): void {
    this.#channel.on("data", (chunk: Buffer) =>
      this.#guarded(() => this.#reader.push(chunk, this.#take)),
    );
    this.#channel.on("drain", () => this.#guarded(() => this.#resume()));
  }

  readonly #take: FrameHandler = (type, id, payload) => {
    if (this.#isPaused) this.#held.push({ type, id, payload });
    else this.#handle(type, id, payload);
  };

  #handle(type: number, id: number, payload: Buffer): void {
    this.#onFrame(type, id, payload);
    if (this.#writer.backlogBytes <= LIMITS.channelBacklogBytesMax) return;
    this.#isPaused = true;
    this.#channel.pause();
  }

  /** The guest has read everything. */
  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    for (const { type, id, payload } of held) this.#take(type, id, payload);
    if (!this.#isPaused) this.#channel.resume();
  }

  #guarded(work: () => void): void {
    if (this.#isBroken) return;
    try {
      work();
    } catch (error) {
      this.#isBroken = true;
      this.#held = [];
      this.#onBroken(error);
    }
  }
}
