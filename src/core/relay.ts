import type { MembershipRecord } from "./meta.js";
import type { RelayedStanding, Standing } from "./standing.js";

/** The latest that is known of a member. */
export interface KnownStanding {
  readonly standing: Standing;
  /** It stood there after this own stamp was made; -Infinity if that is not known. */
  readonly asOf: number;
  /** Who told `asOf`. */
  readonly from: number;
}

/** Who is told. */
export interface RelayReceiver {
  readonly member: number;
  /** Members of whom it wants to hear. */
  readonly wants: readonly number[];
  /** The latest of its stamps that had come when the own stamp `asOf` was made. */
  readonly echoAt: (asOf: number) => number | undefined;
}

/**
 * What is known of every other member, heard of itself or of others, to be handed on to those who
 * cannot hear it themselves. Without that, nothing would be collected, and every bound of staleness
 * would grow, unless every member had a link to every other one.
 */
export class Relay {
  #record: MembershipRecord;
  readonly #known = new Map<number, KnownStanding>();

  constructor(record: MembershipRecord) {
    this.#record = record;
  }

  /** Follows a newer record. */
  adopt(record: MembershipRecord): void {
    this.#record = record;
    for (const member of this.#known.keys()) {
      if (!record.members.includes(member)) this.#known.delete(member);
    }
  }

  /** The latest that is known of a member. */
  known(member: number): KnownStanding | undefined {
    return this.#known.get(member);
  }

  /**
   * Notes where a member stood after the own stamp `asOf`, as `from` says. What comes late, by a
   * longer way, takes nothing back.
   */
  note(standing: Standing, asOf: number | undefined, from: number): void {
    const { member } = standing;
    const stamp = asOf ?? -Infinity;
    const known = this.#known.get(member);
    if (!known || standing.restart > known.standing.restart) {
      this.#known.set(member, { standing, asOf: stamp, from });
      return;
    }
    if (standing.restart < known.standing.restart) return;
    // One run of a member only moves on: who stands further now stood there after both stamps.
    const latest = isFurther(known.standing, standing) ? standing : known.standing;
    const isFresher = stamp > known.asOf;
    this.#known.set(member, {
      standing: latest,
      asOf: isFresher ? stamp : known.asOf,
      from: isFresher ? from : known.from,
    });
  }

  /**
   * What `receiver` is told of those of whom it wants to hear: nothing that it said itself, and
   * nothing that was said under a record of which it was no member, as if it had been said to it.
   */
  tell({ member: receiver, wants, echoAt }: RelayReceiver): RelayedStanding[] {
    const told: RelayedStanding[] = [];
    for (const member of wants) {
      const known = this.#known.get(member);
      if (!known || member === receiver || known.from === receiver) continue;
      const { standing, asOf } = known;
      if (standing.epoch > this.#record.epoch || standing.epoch < receiver) continue;
      const echo = echoAt(asOf);
      if (echo !== undefined) told.push({ standing, echo });
    }
    return told;
  }
}

function isFurther(known: Standing, standing: Standing): boolean {
  if (standing === known) return false;
  return standing.epoch >= known.epoch && standing.applied.includes(known.applied);
}
