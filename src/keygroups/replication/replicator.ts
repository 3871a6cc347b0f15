import type { Dot } from "../../core/dot.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import { Relay } from "../../core/relay.js";
import type { SessionEntry } from "../../core/session.js";
import { StalenessTracker } from "../../core/staleness.js";
import type { Standing } from "../../core/standing.js";
import type { ReceiveEffects, Update } from "../../core/update.js";
import type { Vector } from "../../core/vector.js";
import { decodeMessage } from "../../core/wire/messages.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import { NO_TRACER, type Tracer } from "../../ports/tracer.js";
import type { Turn } from "../../ports/turn.js";
import type { ReplicaHost, ReplicationHook } from "../replica-host.js";
import { CatchUpPull } from "./catch-up-pull.js";
import { CatchUpServing } from "./catch-up-serving.js";
import { DEFAULT_TIMING, type ReplicationContext, type ReplicationTiming } from "./context.js";
import { Departure, type LeaveOutcome } from "./departure.js";
import { Heartbeats } from "./heartbeats.js";
import { MemberMessages } from "./member-messages.js";
import { recordOf, type KeygroupMembership } from "./membership.js";
import { createCounts, peerMetrics, type ReplicationMetrics } from "./metrics.js";
import { OutgoingUpdates } from "./outgoing-updates.js";
import type { Peer } from "./peer.js";
import { Peers } from "./peers.js";
import { RecordAdoption } from "./record-adoption.js";
import type { KeygroupEndpoint, ReplicationRouter } from "./router.js";

/** What a replicator tells whoever follows the naming service. */
export interface ReplicatorEvents {
  /** The replica has caught up for the first time and serves from now on. */
  serving(): void;
  /** The record does not list this member any more. */
  removed(): void;
  /**
   * What that node's replica has, or has collected, cannot be brought here: wipe, and join as another
   * member, from that one.
   */
  mustRejoin(from: NodeName): void;
}

/** What a replicator is made from. */
export interface ReplicatorOptions {
  readonly host: ReplicaHost;
  readonly router: ReplicationRouter;
  readonly events: ReplicatorEvents;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer;
  readonly timing?: Partial<ReplicationTiming>;
  /** Whom a replica asks first that joins because it could not catch up with that node. */
  readonly joinFrom?: NodeName | undefined;
}

/**
 * Replicates one keygroup with the other members: sends what is committed here, applies what they
 * send, catches up, and tells where it stands. It puts its parts together and says to them what the
 * links, the keygroup and the naming service say.
 */
export class Replicator implements KeygroupEndpoint, ReplicationHook {
  readonly name: KeygroupName;
  readonly #context: ReplicationContext;
  readonly #router: ReplicationRouter;
  readonly #events: ReplicatorEvents;
  readonly #leaveRouter: () => void;
  readonly #peers: Peers;
  readonly #adoption: RecordAdoption;
  readonly #outgoing: OutgoingUpdates;
  readonly #heartbeats: Heartbeats;
  readonly #staleness: StalenessTracker;
  readonly #relay: Relay;
  readonly #pull: CatchUpPull;
  readonly #serving: CatchUpServing;
  readonly #departure: Departure;
  readonly #messages: MemberMessages;
  #hasServed: boolean;
  #isClosed = false;

  constructor(options: ReplicatorOptions) {
    const { host, router, events, timing, joinFrom, tracer = NO_TRACER, ...shared } = options;
    const { identity, record } = host.replica;
    this.name = host.name;
    this.#router = router;
    this.#events = events;
    this.#hasServed = identity.isServing;
    const context: ReplicationContext = {
      ...shared,
      tracer,
      host,
      timing: { ...DEFAULT_TIMING, ...timing },
      counts: createCounts(),
      send: (to, lane, message) => router.send(this.name, to, lane, message),
    };
    this.#context = context;
    const peers = new Peers(identity.epoch);
    this.#peers = peers;
    this.#adoption = new RecordAdoption(context, (...args) => this.#act(...args));
    this.#outgoing = new OutgoingUpdates(context, peers);
    this.#serving = new CatchUpServing(context);
    const relay = new Relay(record);
    this.#relay = relay;
    this.#departure = new Departure(context, {
      peers,
      relay,
      isStoringRecord: () => this.#adoption.isStoring,
    });
    this.#pull = new CatchUpPull(context, {
      peers,
      joinFrom,
      roundTripMs: (peer) => router.roundTripMs(peer.node),
      completed: (held) => this.#caughtUp(held),
      mustRejoin: ({ node }) => events.mustRejoin(node),
      isTooFarBehind: ({ node }) => this.#joinAfresh(node),
    });
    this.#staleness = new StalenessTracker(identity.epoch, record);
    this.#heartbeats = new Heartbeats(context, peers, relay, () => {
      this.#pull.evaluate();
      this.#serving.sweep();
    });
    this.#messages = new MemberMessages(context, {
      peers,
      pull: this.#pull,
      serving: this.#serving,
      heartbeats: this.#heartbeats,
      staleness: this.#staleness,
      relay,
      isMember: () => this.#isMember(),
      heard: () => {
        this.#departure.heard();
        host.heard();
      },
    });
    host.attach(this);
    this.#leaveRouter = router.add(this.name, this);
  }

  /** The record that it acts under; `undefined` before the first. */
  get membership(): KeygroupMembership | undefined {
    return this.#adoption.membership;
  }

  /**
   * Acts under a newer record from now on, once that is on stable storage; an older one is ignored.
   * The first one may be the one that the replica has stored.
   */
  adopt(membership: KeygroupMembership): Promise<void> {
    return this.#adoption.adopt(membership);
  }

  /**
   * Stops writing and waits until another member, or the one named, has everything here on stable
   * storage. If that takes longer than `withinMs`, writing goes on.
   */
  leave(withinMs: number, to?: NodeName): Promise<LeaveOutcome> {
    return this.#departure.leave(withinMs, to);
  }

  /** Does not leave after all: writing goes on. */
  stay(): void {
    this.#departure.stay();
  }

  /** How many commits that still show here no other member was ever heard to have on its disk. */
  unreplicated(): number {
    return this.#departure.unreplicated();
  }

  /**
   * How long ago a value that is read now may have been overwritten at another member; Infinity
   * while nothing is known of one. Of this node's own clock alone.
   */
  stalenessMs(): number {
    const { clock, host } = this.#context;
    return this.#staleness.boundMs(clock.monotonicMs(), host.replica.vector);
  }

  /** The nodes of linked members that serve and are known to have applied what a session has seen. */
  showing({ generation, seen }: SessionEntry): NodeName[] {
    if (generation !== this.#context.host.replica.identity.generation) return [];
    return [...this.#peers]
      .filter(({ isUp, standing }) => isUp && standing?.isServing === true)
      .filter(({ standing }) => standing?.applied.coversAll(seen))
      .map(({ node }) => node);
  }

  /** True if one of these members is known to have that commit on stable storage. */
  isElsewhere(dot: Dot, members: ReadonlySet<number>): boolean {
    return this.#departure.isElsewhere(dot, members);
  }

  metrics(): ReplicationMetrics {
    const { counts, clock, host } = this.#context;
    const { vector } = host.replica;
    const nowMs = clock.monotonicMs();
    const peers = [...this.#peers].map((peer) => {
      const waitingBytes = this.#outgoing.waitingBytes;
      return peerMetrics(
        peer,
        this.#standingOf(peer),
        { vector, nowMs },
        {
          outboxBytes: waitingBytes + this.#router.backlogBytes(peer.node, "update"),
          stalenessMs: this.#staleness.memberBoundMs(peer.member, nowMs, vector),
        },
      );
    });
    return {
      counts,
      stalenessMs: this.stalenessMs(),
      isEverywhere: !this.#adoption.isStoring && this.#isMember() && this.#areEven(vector),
      unreplicated: this.unreplicated(),
      progress: this.#pull.progress,
      peers,
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#leaveRouter();
    this.#adoption.close();
    this.#departure.close();
    this.#heartbeats.close();
    this.#pull.close();
    this.#serving.close();
  }

  // What the router tells.

  up(node: NodeName): void {
    const peer = this.#peers.linked(node, true);
    if (!peer) return;
    this.#gone(peer);
    peer.up();
    if (!this.#adoption.isStoring) this.#heartbeats.to(peer);
  }

  down(node: NodeName): void {
    const peer = this.#peers.linked(node, false);
    if (!peer) return;
    peer.down(this.#context.clock.nowMs());
    this.#gone(peer);
    this.#pull.evaluate();
  }

  message(from: NodeName, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { counts, host } = this.#context;
    let envelope;
    try {
      envelope = decodeMessage(bytes);
    } catch (error) {
      counts.malformedTotal += 1;
      throw error;
    }
    const { generation, message } = envelope;
    if (generation !== host.replica.identity.generation) counts.strangersTotal += 1;
    else this.#adoption.deliver(() => this.#messages.receive(from, message));
  }

  // What the keygroup tells.

  committed(update: Update): void {
    if (this.#peers.size > 0 && !this.#isClosed) this.#outgoing.add(update);
  }

  reopened(): void {
    this.#pull.forget();
  }

  #act(membership: KeygroupMembership, waiting: readonly (() => void)[]): void {
    this.#staleness.adopt(recordOf(membership));
    this.#relay.adopt(recordOf(membership));
    for (const peer of this.#peers.adopt(membership)) this.#gone(peer);
    this.#context.host.heard();
    if (!this.#isMember()) {
      this.#events.removed();
      return;
    }
    for (const deliver of waiting) deliver();
    this.#heartbeats.now();
  }

  #caughtUp(held: ReceiveEffects | undefined): void {
    this.#context.counts.updatesAppliedTotal += held?.applied.length ?? 0;
    this.#heartbeats.soon();
    if (!this.#hasServed) {
      this.#hasServed = true;
      this.#events.serving();
    }
    this.#pull.evaluate();
  }

  /**
   * Joins afresh from a node that has all that is here. One that has not, and will not soon, has to be
   * caught up with, however far it is: what it lacks would be lost, or have to be brought again.
   */
  #joinAfresh(from: NodeName): void {
    this.#departure.stopWriting(this.#context.timing.catchUpTimeoutMs, from, (isCovered) => {
      if (this.#isClosed) return;
      if (isCovered) this.#events.mustRejoin(from);
      else this.#pull.goOn();
    });
  }

  #gone(peer: Peer): void {
    this.#pull.peerGone(peer);
    this.#serving.peerGone(peer);
  }

  /** What is known of a member: of itself while it is linked, else of others. */
  #standingOf({ standing, member }: Peer): Standing | undefined {
    return standing ?? this.#relay.known(member)?.standing;
  }

  /** True if all are known to have `vector` on their disks, and nothing beyond it. */
  #areEven(vector: Vector): boolean {
    return [...this.#peers].every((peer) => {
      const { durable, applied } = this.#standingOf(peer) ?? {};
      return (
        durable?.includes(vector) === true && applied !== undefined && vector.includes(applied)
      );
    });
  }

  #isMember(): boolean {
    const own = this.#context.host.replica.identity.epoch;
    return this.membership?.members.some(({ epoch }) => epoch === own) === true;
  }
}
