import type { FrameSink } from "../../channel/frame-writer.js";

/** Takes frames that are written for an instance, for someone who passes them on as they come. */
export class FrameQueue implements FrameSink {
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #wake: (() => void) | undefined;

  /** What nobody has taken yet. */
  get writableLength(): number {
    return this.#sizeBytes;
  }

  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    this.wake();
  }

  /** Everything that was written since the last time. */
  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#sizeBytes = 0;
    return chunks;
  }

  /** Resolves once there is something, or someone wakes it. */
  async filled(): Promise<void> {
    if (this.#chunks.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
