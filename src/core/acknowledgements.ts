import type { Dot } from "./dot.js";
import type { MembershipRecord } from "./meta.js";
import { Vector } from "./vector.js";

interface Acknowledged {
  counted: Vector | undefined;
  candidate: Vector | undefined;
}

/**
 * What all members have on stable storage, as far as this replica may rely on it.
 *
 * A member's vector counts only once this replica's own vector covers it: under `lww` an older
 * concurrent write may still be on its way, and would rise again if its victor were collected.
 */
export class Acknowledgements {
  readonly #members = new Map<number, Acknowledged>();
  readonly #durable = new Vector();

  /** Notes that this replica's state up to `vector` is on stable storage. */
  durable(vector: Vector): void {
    this.#durable.join(vector);
  }

  /** This replica's own durable vector. */
  get durableVector(): Vector {
    return this.#durable;
  }

  /** Notes a member's durable vector. A candidate that waits to be counted is not replaced. */
  note(member: number, vector: Vector, ownVector: Vector): void {
    const known = this.#members.get(member) ?? { counted: undefined, candidate: undefined };
    this.#members.set(member, known);
    known.candidate ??= vector.clone();
    count(known, ownVector);
  }

  /** Forgets all members: what they said belongs to an older record. */
  clear(): void {
    this.#members.clear();
  }

  /** Says of a dot whether this replica and every other member have it on stable storage. */
  stability(own: number, record: MembershipRecord, ownVector: Vector): (dot: Dot) => boolean {
    const vectors = [this.#durable];
    for (const member of record.members) {
      if (member === own) continue;
      const known = this.#members.get(member);
      if (known) count(known, ownVector);
      if (!known?.counted) return () => false;
      vectors.push(known.counted);
    }
    return (dot) => vectors.every((vector) => vector.covers(dot));
  }
}

function count(known: Acknowledged, ownVector: Vector): void {
  if (!known.candidate || !ownVector.includes(known.candidate)) return;
  known.counted = known.candidate;
  known.candidate = undefined;
}
