/** A map whose keys are byte strings. */
export class ByteMap<T> {
  readonly #entries = new Map<string, T>();

  /** The value of `key`, if there is one. */
  get(key: Uint8Array): T | undefined {
    return this.#entries.get(textOf(key));
  }

  /** True when `key` has a value, even `undefined`. */
  has(key: Uint8Array): boolean {
    return this.#entries.has(textOf(key));
  }

  /** Sets the value of `key`; a known key keeps its place in the order. */
  set(key: Uint8Array, value: T): void {
    this.#entries.set(textOf(key), value);
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The values, in the order in which their keys were first set. */
  values(): IterableIterator<T> {
    return this.#entries.values();
  }
}

/** One character a byte. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
