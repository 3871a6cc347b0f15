import { assert } from "../base/assert.js";
import { ByteWriter, type ByteReader } from "./codec.js";
import { compareDots, type Dot, type Origin } from "./dot.js";

/** How two vectors relate: `before` means the left one is covered by the right one, and not equal. */
export type VectorOrder = "equal" | "before" | "after" | "concurrent";

const RESTARTS_MAX = 2 ** 20;

/** One number per origin, so that a lookup allocates nothing. */
function originKey(origin: Origin): number {
  return origin.epoch * RESTARTS_MAX + origin.restart;
}

/**
 * A version vector: per origin, the number of its commits that were applied without a gap.
 * An origin that is not listed counts as 0. Vectors are mutable; share a {@link clone}.
 */
export class Vector {
  readonly #counters: Map<number, number>;

  constructor(entries: Iterable<Dot> = []) {
    this.#counters = new Map();
    for (const entry of entries) this.raise(entry);
  }

  /** How many origins are listed. */
  get size(): number {
    return this.#counters.size;
  }

  /** How many commits of `origin` are covered. */
  get(origin: Origin): number {
    return this.#counters.get(originKey(origin)) ?? 0;
  }

  /** True when the commit was applied. */
  covers(dot: Dot): boolean {
    return dot.counter <= this.get(dot);
  }

  /** True when every one of `dots` is covered. */
  coversAll(dots: readonly Dot[]): boolean {
    for (const dot of dots) if (!this.covers(dot)) return false;
    return true;
  }

  /** Adds the origin's next commit; a gap or a repetition is a bug. */
  advance(dot: Dot): void {
    const key = originKey(dot);
    assert(dot.restart < RESTARTS_MAX, "an origin has too many restarts");
    assert(
      (this.#counters.get(key) ?? 0) + 1 === dot.counter,
      "a vector must advance without a gap",
    );
    this.#counters.set(key, dot.counter);
  }

  /** Raises one entry to at least `dot`, whatever lies between. */
  raise(dot: Dot): void {
    assert(dot.restart < RESTARTS_MAX, "an origin has too many restarts");
    const key = originKey(dot);
    if (dot.counter > (this.#counters.get(key) ?? 0)) this.#counters.set(key, dot.counter);
  }

  /** Raises every entry to that of `other`. */
  join(other: Vector): void {
    for (const [key, counter] of other.#counters) {
      if (counter > (this.#counters.get(key) ?? 0)) this.#counters.set(key, counter);
    }
  }

  /** True when everything that `other` covers is covered here. */
  includes(other: Vector): boolean {
    for (const [key, counter] of other.#counters) {
      if (counter > (this.#counters.get(key) ?? 0)) return false;
    }
    return true;
  }

  /** How this vector relates to `other`. */
  compare(other: Vector): VectorOrder {
    const isAbove = this.includes(other);
    const isBelow = other.includes(this);
    if (isAbove) return isBelow ? "equal" : "after";
    return isBelow ? "before" : "concurrent";
  }

  /** True when a later restart of the same member is listed. */
  hasLaterRestart(origin: Origin): boolean {
    const key = originKey(origin);
    const end = (origin.epoch + 1) * RESTARTS_MAX;
    for (const other of this.#counters.keys()) if (other > key && other < end) return true;
    return false;
  }

  /** The last covered dot of every origin, in the order of origins. */
  entries(): Dot[] {
    const entries: Dot[] = [];
    for (const [key, counter] of this.#counters) {
      const epoch = Math.floor(key / RESTARTS_MAX);
      entries.push({ epoch, restart: key - epoch * RESTARTS_MAX, counter });
    }
    return entries.length > 1 ? entries.sort(compareDots) : entries;
  }

  /** An independent copy. */
  clone(): Vector {
    const copy = new Vector();
    copy.join(this);
    return copy;
  }

  /** Appends the canonical encoding: equal vectors give equal bytes. */
  encodeTo(writer: ByteWriter): void {
    const entries = this.entries();
    writer.varint(entries.length);
    for (const { epoch, restart, counter } of entries) {
      writer.varint(epoch).varint(restart).varint(counter);
    }
  }

  /** The canonical encoding as bytes of its own. */
  encode(): Uint8Array {
    const writer = new ByteWriter();
    this.encodeTo(writer);
    return writer.finish();
  }

  /** Reads what {@link encodeTo} wrote. */
  static decode(reader: ByteReader): Vector {
    const vector = new Vector();
    for (let left = reader.varint(); left > 0; left--) {
      vector.raise({ epoch: reader.varint(), restart: reader.varint(), counter: reader.varint() });
    }
    return vector;
  }
}
