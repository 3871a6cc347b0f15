import { equalDots, type Dot } from "../../core/dot.js";
import type { NodeName } from "../../core/ids.js";
import type { Relay } from "../../core/relay.js";
import { STAMPS_PER_MS } from "../../core/stamps.js";
import type { Standing } from "../../core/standing.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";
import type { Peers } from "./peers.js";

/** What came of an attempt to leave. */
export interface LeaveOutcome {
  /** Another member has everything on stable storage: the transaction that removes may follow. */
  readonly isCovered: boolean;
  /**
   * The record under which that holds. The transaction must require it: another one may meanwhile
   * have removed those who have everything. If it fails, call `stay` or `leave` again.
   */
  readonly epoch: number;
  /** See `Departure.unreplicated`. */
  readonly unreplicated: number;
}

/** Stops writing and waits until others have what is here, before this member goes. */
export class Departure {
  readonly #context: ReplicationContext;
  readonly #peers: Peers;
  readonly #relay: Relay;
  readonly #isStoringRecord: () => boolean;
  /** What is looked at whenever a member says where it stands. */
  readonly #checks = new Set<() => void>();
  /** Attempts that need the writes stopped. */
  #attempts = 0;
  #isClosed = false;

  constructor(
    context: ReplicationContext,
    parts: {
      readonly peers: Peers;
      readonly relay: Relay;
      readonly isStoringRecord: () => boolean;
    },
  ) {
    this.#context = context;
    this.#peers = parts.peers;
    this.#relay = parts.relay;
    this.#isStoringRecord = parts.isStoringRecord;
  }

  /** A member has said where it stands. */
  heard(): void {
    for (const check of this.#checks) check();
  }

  /** See `Replicator.leave`. */
  async leave(withinMs: number, to?: NodeName): Promise<LeaveOutcome> {
    const isCovered = await new Promise<boolean>((resolve) => {
      this.stopWriting(withinMs, to, resolve);
    });
    const { epoch } = this.#context.host.replica.record;
    return { isCovered, epoch, unreplicated: this.unreplicated() };
  }

  /**
   * Stops writing, and calls `then` once another member, or the one on that node, has everything here
   * on stable storage. If that takes longer than `withinMs`, writing goes on, and it is told `false`.
   */
  stopWriting(
    withinMs: number,
    to: NodeName | undefined,
    then: (isCovered: boolean) => void,
  ): void {
    const { host, timers, clock } = this.#context;
    const begun = Math.floor(clock.monotonicMs() * STAMPS_PER_MS);
    this.#attempts += 1;
    host.setLeaving(true);
    const end = (isCovered: boolean): void => {
      cancel();
      this.#checks.delete(check);
      if (!isCovered) this.stay();
      then(isCovered);
    };
    const cancel = timers.after(withinMs, () => end(false));
    const check = (): void => {
      if (this.#isCovered(to, begun)) end(true);
    };
    this.#checks.add(check);
    check();
  }

  /** Does not leave after all: writing goes on, unless another attempt is under way. */
  stay(): void {
    this.#attempts = Math.max(0, this.#attempts - 1);
    if (this.#attempts === 0 && !this.#isClosed) this.#context.host.setLeaving(false);
  }

  /** The keygroup may be that of another member from now on: it is not touched any more. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * How many commits that still show here no other member was ever heard to have on stable storage:
   * own ones, and those of former members.
   */
  unreplicated(): number {
    const { replica, rows } = this.#context.host;
    const members = new Set([...this.#peers].map(({ member }) => member));
    let count = 0;
    let last: Dot | undefined;
    for (const { dot } of replica.unproven(rows)) {
      const isSame = last !== undefined && equalDots(last, dot);
      last = dot;
      if (!isSame && !members.has(dot.epoch)) count += 1;
    }
    return count;
  }

  /** True if one of these members is known to have that commit on stable storage. */
  isElsewhere(dot: Dot, members: ReadonlySet<number>): boolean {
    for (const { member } of this.#peers) {
      const isMember = members.has(member);
      if (isMember && this.#relay.known(member)?.standing.durable.covers(dot)) return true;
    }
    return false;
  }

  /** Whether another member, or the one on that node, has everything that is here. */
  #isCovered(by: NodeName | undefined, begun: number): boolean {
    if (this.#isStoringRecord()) return false;
    return [...this.#peers].some(
      (peer) =>
        (by === undefined || peer.node === by) && this.#hasEverything(this.#saidBy(peer, begun)),
    );
  }

  /** Who has no link, and may be gone for ever, must have been heard of since the leave began. */
  #saidBy({ isUp, standing, member }: Peer, begun: number): Standing | undefined {
    if (isUp) return standing;
    const known = this.#relay.known(member);
    return known && known.asOf >= begun ? known.standing : undefined;
  }

  #hasEverything(standing: Standing | undefined): boolean {
    const { vector } = this.#context.host.replica;
    return standing?.isServing === true && standing.durable.includes(vector);
  }
}
