import type { Heartbeat } from "./heartbeat.js";
import type { MembershipRecord } from "./meta.js";
import type { Vector } from "./vector.js";

/** What a member had applied at some moment after it had got one of this replica's stamps. */
interface Claim {
  readonly stamp: number;
  readonly restart: number;
  readonly epoch: number;
  /** `undefined`: nothing, for it was joining. */
  readonly applied: Vector | undefined;
}

interface Peer {
  /** The latest stamp that came of it. */
  echo: number | undefined;
  /** Stamps that were sent to it and not echoed yet. */
  sent: number[];
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

const SENT_MAX = 64;
/** Stamps are whole microseconds. */
const PER_MS = 1000;

/**
 * How stale a read may be, without ever comparing two clocks: every heartbeat carries the sender's
 * time as a stamp, and the next one of its receiver echoes it, with what that had applied by then.
 * Once this replica covers that, it has everything that was anywhere at the time of its own stamp.
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
    this.#record = record;
  }

  /** Stamp and echo of the heartbeat that goes to `member` now, at this node's monotonic time. */
  exchange(member: number, nowMs: number): Pick<Heartbeat, "stamp" | "echo"> {
    const peer = this.#peer(member);
    const stamp = Math.floor(nowMs * PER_MS);
    peer.sent.push(stamp);
    if (peer.sent.length > SENT_MAX) peer.sent.shift();
    return { stamp, echo: peer.echo };
  }

  /** Notes a heartbeat of `member` that the replica has not rejected. */
  heard(member: number, heartbeat: Heartbeat): void {
    if (member === this.#own || !this.#record.members.includes(member)) return;
    const peer = this.#peer(member);
    const { stamp, echo, restart, epoch, isServing, applied } = heartbeat;
    peer.echo = stamp;
    if (echo === undefined || !peer.sent.includes(echo)) return;
    peer.sent = peer.sent.filter((sent) => sent >= echo);
    const claim = { stamp: echo, restart, epoch, applied: isServing ? applied : undefined };
    // why: what an earlier run claimed may be lost, and would be waited for in vain.
    if (!peer.waiting || peer.waiting.restart !== restart) peer.waiting = claim;
    else if (!peer.latest || peer.latest.stamp <= echo) peer.latest = claim;
  }

  /** The link to `member` is gone: what was on its way will not be echoed to the right run. */
  forget(member: number): void {
    const peer = this.#peers.get(member);
    if (!peer) return;
    peer.echo = undefined;
    peer.sent = [];
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
    return asOf === Infinity ? 0 : Math.max(0, nowMs - asOf / PER_MS);
  }

  /** The same for what that member alone may have overwritten. */
  memberBoundMs(member: number, nowMs: number, vector: Vector): number {
    const peer = this.#peer(member);
    settle(peer, vector, this.#record.epoch);
    return Math.max(0, nowMs - peer.asOf / PER_MS);
  }

  #peer(member: number): Peer {
    const known = this.#peers.get(member);
    if (known) return known;
    const peer: Peer = {
      echo: undefined,
      sent: [],
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
