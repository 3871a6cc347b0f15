import { randomFillSync } from "node:crypto";

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const POOL_BYTES = 4096;

/** Random ids of traces and spans. Entropy is asked for in large pieces, since each call costs. */
export class TraceIds {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  #at = POOL_BYTES;

  /** 32 hexadecimal digits. */
  traceId(): string {
    return this.#next(TRACE_ID_BYTES);
  }

  /** 16 hexadecimal digits. */
  spanId(): string {
    return this.#next(SPAN_ID_BYTES);
  }

  #next(sizeBytes: number): string {
    if (this.#at + sizeBytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const id = this.#pool.toString("hex", this.#at, this.#at + sizeBytes);
    this.#at += sizeBytes;
    // Not even once in the life of all machines; but an id of 0 is no id.
    return /^0+$/.test(id) ? this.#next(sizeBytes) : id;
  }
}
