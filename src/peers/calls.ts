import { assert } from "../base/assert.js";
import { malformed, WINDOW_BYTES } from "./request-frames.js";

/** A request that waits for its answer. */
export interface Call {
  /** It has left only now, for the link was busy. */
  sent(): void;
  reply(body: Uint8Array): void;
  chunk(bytes: Uint8Array): void;
  end(): void;
  /** Nothing more will come. */
  fail(error: unknown): void;
}

/** A call whose answer comes in one piece. */
export class WholeCall implements Call {
  readonly promise: Promise<Uint8Array>;
  #resolve: (body: Uint8Array) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  readonly #onSent: () => void;

  /** @param onSent told when it leaves, if it had to wait for that */
  constructor(onSent: () => void) {
    this.#onSent = onSent;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  sent(): void {
    this.#onSent();
  }

  reply(body: Uint8Array): void {
    this.#resolve(body);
  }

  chunk(): void {
    throw malformed("a piece of a stream that nobody asked for");
  }

  end(): void {
    throw malformed("the end of a stream that nobody asked for");
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}

/** What a stream needs of its owner. */
export interface StreamOwner {
  /** Lets the peer send so much more; false if it cannot be told now. */
  grant(sizeBytes: number): boolean;
  /** The reader wants no more. */
  abandon(): void;
  /** Waits for the peer, for as long as the caller allows; the returned function ends the wait. */
  startWaiting(): () => void;
}

/**
 * A call whose answer comes in pieces.
 *
 * Invariant: what was not read yet never exceeds the window, for the peer may send only that.
 */
export class StreamCall implements Call, AsyncIterableIterator<Uint8Array> {
  readonly #owner: StreamOwner;
  #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  /** Read, and not granted again yet. */
  #readBytes = 0;
  #outcome: { readonly error: unknown } | "ended" | undefined;
  #wake: (() => void) | undefined;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  sent(): void {}

  reply(): void {
    throw malformed("an answer in one piece to a request for a stream");
  }

  chunk(bytes: Uint8Array): void {
    this.#unreadBytes += bytes.length;
    if (this.#unreadBytes + this.#readBytes > WINDOW_BYTES || bytes.length === 0) {
      throw malformed("a stream does not keep to its window");
    }
    this.#chunks.push(bytes);
    this.#wake?.();
  }

  end(): void {
    this.#outcome ??= "ended";
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#outcome ??= { error };
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#chunks.length === 0 && this.#outcome === undefined) await this.#more();
    const chunk = this.#chunks.shift();
    if (chunk) {
      this.#read(chunk.length);
      return { done: false, value: chunk };
    }
    const outcome = this.#outcome;
    this.#outcome = "ended";
    if (outcome !== undefined && outcome !== "ended") throw outcome.error;
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    if (this.#outcome === undefined) this.#owner.abandon();
    this.#outcome = "ended";
    this.#chunks = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #more(): Promise<void> {
    assert(!this.#wake, "a stream has one reader");
    if (this.#readBytes > 0) this.#grant();
    const stopWaiting = this.#owner.startWaiting();
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    stopWaiting();
  }

  #read(sizeBytes: number): void {
    this.#unreadBytes -= sizeBytes;
    this.#readBytes += sizeBytes;
    if (this.#readBytes >= WINDOW_BYTES / 4 && this.#outcome === undefined) this.#grant();
  }

  #grant(): void {
    if (this.#owner.grant(this.#readBytes)) this.#readBytes = 0;
  }
}
