import { assert } from "../base/assert.js";
import { ByteWriter, type ByteReader } from "./codec.js";
import {
  compareDots,
  DOT_BYTES_MIN,
  EPOCH_MAX,
  readDot,
  RESTART_MAX,
  type Dot,
  type Origin,
} from "./dot.js";

/** How two vectors relate: `before` means the left one is covered by the right one, and not equal. */
export type VectorOrder = "equal" | "before" | "after" | "concurrent";

const RESTARTS = RESTART_MAX + 1;

/** One number per origin, so that a lookup allocates nothing. */
function originKey(origin: Origin): number {
  return origin.epoch * RESTARTS + origin.restart;
}

/**
 * A version vector: per origin, the number of its commits that were applied without a gap.
 * Vectors are mutable; share a {@link clone}.
 *
 * An origin that is not listed counts as 0, unless it was retired. That is so in a vector which knows
 * the members of all records up to its *epoch*, each listed at 0 when it joined: an origin is missing
 * there only if a later restart of its member is listed instead, or, when its member lists nothing
 * at all, because that member left and nothing of it is still on its way. A vector with epoch 0
 * (such as the context of a CRDT state) never had members and knows nothing of retirement.
 */
export class Vector {
  readonly #counters: Map<number, number>;
  #epoch: number;

  constructor(entries: Iterable<Dot> = [], epoch = 0) {
    this.#counters = new Map();
    this.#epoch = epoch;
    for (const entry of entries) this.raise(entry);
  }

  /** The last record whose members are listed. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The latest member of whom an origin is listed; 0 if none is. */
  get latestMember(): number {
    let latest = 0;
    for (const key of this.#counters.keys()) if (key > latest) latest = key;
    return Math.floor(latest / RESTARTS);
  }

  /** How many origins are listed. */
  get size(): number {
    return this.#counters.size;
  }

  /** True when the origin has an entry, be it 0. */
  lists(origin: Origin): boolean {
    return this.#counters.has(originKey(origin));
  }

  /** The entry of `origin`, or 0. */
  get(origin: Origin): number {
    return this.#counters.get(originKey(origin)) ?? 0;
  }

  /** The last commit of `origin` that is covered: infinite once it was retired. */
  reach(origin: Origin): number {
    const counter = this.#counters.get(originKey(origin));
    return counter ?? (this.#hasRetired(originKey(origin)) ? Infinity : 0);
  }

  /** True when the commit was applied. */
  covers(dot: Dot): boolean {
    const counter = this.#counters.get(originKey(dot));
    if (counter !== undefined) return dot.counter <= counter;
    return dot.counter === 0 || this.hasRetired(dot);
  }

  /** True when every one of `dots` is covered. */
  coversAll(dots: readonly Dot[]): boolean {
    for (const dot of dots) if (!this.covers(dot)) return false;
    return true;
  }

  /** True when an origin is not listed because all its commits are covered and no more will come. */
  hasRetired(origin: Origin): boolean {
    const key = originKey(origin);
    return !this.#counters.has(key) && this.#hasRetired(key);
  }

  /** True when nothing of a member is listed any more, because it left and all of it is covered. */
  hasLeft(member: number): boolean {
    if (member > this.#epoch || this.#counters.has(originKey({ epoch: member, restart: 0 })))
      return false;
    return !this.#listsMember(member);
  }

  /** Adds the origin's next commit; a gap or a repetition is a bug. */
  advance(dot: Dot): void {
    const key = originKey(dot);
    assert(dot.restart <= RESTART_MAX, "an origin has too many restarts");
    assert(
      (this.#counters.get(key) ?? 0) + 1 === dot.counter,
      "a vector must advance without a gap",
    );
    this.#counters.set(key, dot.counter);
  }

  /** Raises one entry to at least `dot`, whatever lies between; lists it if it is not. */
  raise(dot: Dot): void {
    assert(dot.restart <= RESTART_MAX && dot.epoch <= EPOCH_MAX, "an origin is out of range");
    const key = originKey(dot);
    if (dot.counter > (this.#counters.get(key) ?? -1)) this.#counters.set(key, dot.counter);
  }

  /** Lists, at 0, whoever of `members` joined after {@link epoch}; from now on the epoch is `epoch`. */
  listMembers(members: readonly number[], epoch: number): void {
    for (const member of members) {
      if (member > this.#epoch && !this.#listsMember(member)) {
        this.#counters.set(originKey({ epoch: member, restart: 0 }), 0);
      }
    }
    if (epoch > this.#epoch) this.#epoch = epoch;
  }

  /** Takes an origin out, all of whose commits are covered here and wherever it matters. */
  retire(origin: Origin): void {
    this.#counters.delete(originKey(origin));
  }

  /** Raises every entry to that of `other`; what one of the two has retired is retired. */
  join(other: Vector): void {
    const added: number[] = [];
    for (const [key, counter] of other.#counters) {
      const known = this.#counters.get(key);
      if (known === undefined) {
        if (!this.#hasRetired(key)) added.push(key, counter);
      } else if (counter > known) this.#counters.set(key, counter);
    }
    if (other.#epoch > 0) {
      for (const key of this.#counters.keys()) {
        if (!other.#counters.has(key) && other.#hasRetired(key)) this.#counters.delete(key);
      }
    }
    for (let i = 0; i < added.length; i += 2) {
      this.#counters.set(added[i] as number, added[i + 1] as number);
    }
    if (other.#epoch > this.#epoch) this.#epoch = other.#epoch;
  }

  /** True when everything that `other` covers by an entry is covered here. */
  includes(other: Vector): boolean {
    for (const [key, counter] of other.#counters) {
      const known = this.#counters.get(key);
      if (known !== undefined ? counter > known : counter > 0 && !this.#hasRetired(key)) {
        return false;
      }
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
    return this.#hasBetween(originKey(origin) + 1, (origin.epoch + 1) * RESTARTS);
  }

  /** True when an earlier restart of the same member is listed. */
  hasEarlierRestart(origin: Origin): boolean {
    return this.#hasBetween(origin.epoch * RESTARTS, originKey(origin));
  }

  /** The last covered dot of every origin, in the order of origins. */
  entries(): Dot[] {
    const entries: Dot[] = [];
    for (const [key, counter] of this.#counters) {
      const epoch = Math.floor(key / RESTARTS);
      entries.push({ epoch, restart: key - epoch * RESTARTS, counter });
    }
    return entries.length > 1 ? entries.sort(compareDots) : entries;
  }

  /** An independent copy. */
  clone(): Vector {
    const copy = new Vector([], this.#epoch);
    for (const [key, counter] of this.#counters) copy.#counters.set(key, counter);
    return copy;
  }

  /** Appends the canonical encoding of the entries: equal vectors give equal bytes. */
  encodeTo(writer: ByteWriter): void {
    const entries = this.entries();
    writer.varint(entries.length);
    for (const { epoch, restart, counter } of entries) {
      writer.varint(epoch).varint(restart).varint(counter);
    }
  }

  /** The canonical encoding of the entries as bytes of its own. */
  encode(): Uint8Array {
    const writer = new ByteWriter();
    this.encodeTo(writer);
    return writer.finish();
  }

  /** Reads what {@link encodeTo} wrote. */
  static decode(reader: ByteReader, epoch = 0): Vector {
    const vector = new Vector([], epoch);
    let last = -1;
    for (const dot of reader.list(DOT_BYTES_MIN, readDot)) {
      const key = originKey(dot);
      reader.require(key > last, "the origins of a vector are not in order");
      vector.#counters.set(key, dot.counter);
      last = key;
    }
    return vector;
  }

  #listsMember(member: number): boolean {
    return this.#hasBetween(member * RESTARTS, (member + 1) * RESTARTS);
  }

  /** Whether some listed origin's key lies in [`from`, `to`). */
  #hasBetween(from: number, to: number): boolean {
    for (const key of this.#counters.keys()) if (key >= from && key < to) return true;
    return false;
  }

  /** Whether an origin that is not listed was retired. */
  #hasRetired(key: number): boolean {
    if (this.#epoch === 0) return false;
    const member = Math.floor(key / RESTARTS);
    if (this.#hasBetween(key + 1, (member + 1) * RESTARTS)) return true;
    return member <= this.#epoch && !this.#listsMember(member);
  }
}
