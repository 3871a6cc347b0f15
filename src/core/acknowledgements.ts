import type { Dot } from "./dot.js";
import type { MembershipRecord } from "./meta.js";
import { Vector } from "./vector.js";

interface Acknowledged {
  counted: Vector | undefined;
  candidate: Vector | undefined;
}

const NOTHING = new Vector();

/**
 * What all members have on stable storage, as far as this replica may rely on it.
 *
 * A member's vector counts only once this replica's own vector covers it: under `lww` an older
 * concurrent write may still be on its way, and would rise again if its victor were collected.
 */
export class Acknowledgements {
  readonly #members = new Map<number, Acknowledged>();
  readonly #durable = new Vector();
  /** Everything that some other member was ever heard to have on stable storage. */
  readonly proven = new Vector();
  #since: Vector | undefined;
  #stable: Vector | undefined;

  constructor(since: Vector) {
    this.#since = since.clone();
  }

  /** Notes that this replica's state up to `vector` is on stable storage. */
  durable(vector: Vector): void {
    this.#durable.join(vector);
    this.#stable = undefined;
    if (this.#since && this.#durable.includes(this.#since)) this.#since = undefined;
  }

  /**
   * This replica's own durable vector; empty until all that it had applied when it adopted its
   * record is durable.
   *
   * why: under the record it takes nothing more from who has left, so from then on, and not before,
   * the vector says the last that it may know of them.
   */
  get durableVector(): Vector {
    return this.#since ? NOTHING : this.#durable;
  }

  /** Notes a member's durable vector. A candidate that waits to be counted is not replaced. */
  note(member: number, vector: Vector, ownVector: Vector): void {
    const known = this.#members.get(member) ?? { counted: undefined, candidate: undefined };
    this.#members.set(member, known);
    known.candidate ??= vector.clone();
    this.proven.join(vector);
    count(known, ownVector);
    this.#stable = undefined;
  }

  /** Forgets what was said under an older record; `vector` is what is applied as the new one begins. */
  renew(vector: Vector): void {
    this.#members.clear();
    this.#since = vector.clone();
    this.#stable = undefined;
    if (this.#durable.includes(vector)) this.#since = undefined;
  }

  /** What this replica and every other member have, one vector each; `undefined` until all count. */
  counted(own: number, record: MembershipRecord, ownVector: Vector): Vector[] | undefined {
    const vectors = [this.durableVector];
    for (const member of record.members) {
      if (member === own) continue;
      const known = this.#members.get(member);
      if (known) count(known, ownVector);
      if (!known?.counted) return undefined;
      vectors.push(known.counted);
    }
    return vectors;
  }

  /** Says of a dot whether this replica and every other member have it on stable storage. */
  stability(own: number, record: MembershipRecord, ownVector: Vector): (dot: Dot) => boolean {
    const vectors = this.counted(own, record, ownVector);
    return (dot) => vectors !== undefined && vectors.every((vector) => vector.covers(dot));
  }

  /** Per origin the last commit that all members have on stable storage; kept until more is known. */
  stableVector(own: number, record: MembershipRecord, ownVector: Vector): Vector {
    this.#stable ??= leastOf(this.counted(own, record, ownVector) ?? []);
    return this.#stable;
  }
}

function leastOf(vectors: readonly Vector[]): Vector {
  const stable = new Vector();
  for (const { epoch, restart, counter } of vectors[0]?.entries() ?? []) {
    const reached = vectors.map((vector) => vector.reach({ epoch, restart }));
    stable.raise({ epoch, restart, counter: Math.min(counter, ...reached) });
  }
  return stable;
}

function count(known: Acknowledged, ownVector: Vector): void {
  if (!known.candidate || !ownVector.includes(known.candidate)) return;
  known.counted = known.candidate;
  known.candidate = undefined;
}
