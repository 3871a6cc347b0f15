/** A fingerprint of everything that happened in a run, in its order; on demand also as text. */
export class Trace {
  readonly lines: string[] | undefined;
  #low = 0x811c9dc5;
  #high = 0x01000193;

  constructor(keepsLines: boolean) {
    this.lines = keepsLines ? [] : undefined;
  }

  /** Adds an event. */
  add(nowMs: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.#mix(Math.floor(nowMs * 1000) | 0);
    this.lines?.push(`${nowMs.toFixed(1).padStart(9)} ${text}`);
  }

  /** Adds the bytes of a message. */
  addBytes(bytes: Uint8Array): void {
    const { length } = bytes;
    let at = 0;
    for (; at + 3 < length; at += 4) {
      const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
      const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
      this.#mix(low | (high << 16));
    }
    for (; at < length; at++) this.#mix(bytes[at] as number);
    this.#mix(length);
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#low) + hex(this.#high);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193) >>> 0;
    this.#high = (Math.imul(this.#high, 0x5bd1e995) ^ this.#low ^ value) >>> 0;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
