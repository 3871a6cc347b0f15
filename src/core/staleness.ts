import type { MembershipRecord } from "./meta.js";
import { STAMPS_PER_MS } from "./stamps.js";
import type { Standing } from "./standing.js";
import type { Vector } from "./vector.js";

/** What a member had applied at some moment after one of this replica's stamps was made. */
interface Claim {
  readonly stamp: number;
  readonly restart: number;
  readonly epoch: number;
  /** `undefined`: nothing, for it was joining. */
  readonly applied: Vector | undefined;
}

interface Peer {
  /** The latest run of it that has claimed something. */
  restart: number;
  waiting: Claim | undefined;
  latest: Claim | undefined;
  /** This replica has everything that the member had at this stamp. */
  asOf: number;
  /** The latest record under which that was so. */
  epoch: number;
}

/** Someone who is no member any more, whose writes may still come by another member. */
interface Former {
  readonly asOf: number;
  /** The record without it. */
  readonly epoch: number;
}

/**
 * How stale a read may be, without ever comparing two clocks: every heartbeat carries the sender's
 * time as a stamp, and the next one of its receiver echoes it, with what that had applied by then.
 * Once this replica covers that, it has everything that was anywhere at the time of its own stamp.
 * Echoes of members without a link here come by others, who translate them (`relay.ts`).
 */
export class StalenessTracker {
  readonly #own: number;
  #record: MembershipRecord;
  readonly #peers = new Map<number, Peer>();
  #formers: Former[] = [];

  constructor(own: number, record: MembershipRecord) {
    this.#own = own;
    this.#record = record;
    if (record.past.length > 0) this.#formers.push({ asOf: -Infinity, epoch: record.epoch });
  }

  /** Follows a newer record. */
  adopt(record: MembershipRecord): void {
    if (record.epoch <= this.#record.epoch) return;
    for (const member of this.#record.members) {
      if (member === this.#own || record.members.includes(member)) continue;
      const asOf = this.#peers.get(member)?.asOf ?? -Infinity;
      // why: who leaves may have handed on what earlier formers wrote, and not have shown it here.
      this.#formers = this.#formers.map((former) => ({ ...former, epoch: record.epoch }));
      this.#formers.push({ asOf, epoch: record.epoch });
      this.#peers.delete(member);
    }
    // Records may be skipped: who has come and gone in between has written, and nothing is known of it.
    const { members, past } = this.#record;
    const isNews = (former: number): boolean => !members.includes(former) && !past.includes(former);
    if (record.past.some(isNews)) this.#formers.push({ asOf: -Infinity, epoch: record.epoch });
    this.#record = record;
  }

  /** Notes where a member stood at some moment after the own `stamp` was made. */
  heard({ member, restart, epoch, isServing, applied }: Standing, stamp: number): void {
    if (member === this.#own || !this.#record.members.includes(member)) return;
    const peer = this.#peer(member);
    if (restart < peer.restart) return;
    const claim = { stamp, restart, epoch, applied: isServing ? applied : undefined };
    // why: what an earlier run claimed may be lost, and would be waited for in vain.
    if (!peer.waiting || peer.waiting.restart !== restart) peer.waiting = claim;
    else if (!peer.latest || peer.latest.stamp <= stamp) peer.latest = claim;
    peer.restart = restart;
  }

  /**
   * A bound of how long ago a value that is read now may have been overwritten at a member;
   * infinite while nothing is known of one. `vector`: what this replica has applied.
   */
  boundMs(nowMs: number, vector: Vector): number {
    let asOf = Infinity;
    let epoch = Infinity;
    for (const member of this.#record.members) {
      if (member === this.#own) continue;
      const peer = this.#peer(member);
      settle(peer, vector, this.#record.epoch);
      asOf = Math.min(asOf, peer.asOf);
      epoch = Math.min(epoch, peer.epoch);
    }
    // A former member no longer counts once all others have shown all they have under a record
    // without it, for then nothing of it can come that is not here.
    this.#formers = this.#formers.filter((former) => former.epoch > epoch);
    for (const former of this.#formers) asOf = Math.min(asOf, former.asOf);
    return asOf === Infinity ? 0 : Math.max(0, nowMs - asOf / STAMPS_PER_MS);
  }

  /** The same for what that member alone may have overwritten. */
  memberBoundMs(member: number, nowMs: number, vector: Vector): number {
    const peer = this.#peer(member);
    settle(peer, vector, this.#record.epoch);
    return Math.max(0, nowMs - peer.asOf / STAMPS_PER_MS);
  }

  #peer(member: number): Peer {
    const known = this.#peers.get(member);
    if (known) return known;
    const peer: Peer = {
      restart: 0,
      waiting: undefined,
      latest: undefined,
      asOf: -Infinity,
      epoch: 0,
    };
    this.#peers.set(member, peer);
    return peer;
  }
}

/**
 * Counts what `vector` covers by now; a later claim that is covered makes an earlier one idle.
 *
 * why not under a later record: it may list a member that is not known here and writes already. That
 * one was filled by a member that knew it, and whose claims from then on are of the later record.
 */
function settle(peer: Peer, vector: Vector, epochMax: number): void {
  for (const claim of [peer.latest, peer.waiting]) {
    if (!claim || claim.epoch > epochMax || (claim.applied && !vector.includes(claim.applied)))
      continue;
    peer.asOf = Math.max(peer.asOf, claim.stamp);
    // A member that joins has not shown anything yet: it will have what others hand on to it.
    if (claim.applied) peer.epoch = Math.max(peer.epoch, claim.epoch);
    peer.waiting = claim === peer.latest ? undefined : peer.latest;
    peer.latest = undefined;
    return;
  }
}
