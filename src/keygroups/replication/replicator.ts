// Why so long: it is the one place where a message meets the membership, and everything else is parts.

import type { Dot } from "../../core/dot.js";
import type { Heartbeat } from "../../core/heartbeat.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import { StalenessTracker } from "../../core/staleness.js";
import type { ReceiveEffects, Update } from "../../core/update.js";
import { decodeMessage, encodeMessage, type KeygroupMessage } from "../../core/wire/messages.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { Turn } from "../../ports/turn.js";
import type { ReplicaHost, ReplicationHook } from "../replica-host.js";
import { CatchUpPull } from "./catch-up-pull.js";
import { CatchUpServing } from "./catch-up-serving.js";
import { DEFAULT_TIMING, type ReplicationContext, type ReplicationTiming } from "./context.js";
import { Heartbeats } from "./heartbeats.js";
import { recordOf, type KeygroupMembership } from "./membership.js";
import { createCounts, type PeerMetrics, type ReplicationMetrics } from "./metrics.js";
import { OutgoingUpdates } from "./outgoing-updates.js";
import { Peer } from "./peer.js";
import type { KeygroupEndpoint, ReplicationRouter } from "./router.js";
import { storeUpdates } from "./store-received.js";

/** What a replicator tells whoever follows the naming service. */
export interface ReplicatorEvents {
  /** The replica has caught up for the first time and serves from now on. */
  serving(): void;
  /** The record does not list this member any more. */
  removed(): void;
  /** What the members have collected cannot be brought here: wipe, and join as another member. */
  mustRejoin(): void;
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
  readonly timing?: Partial<ReplicationTiming>;
}

/** What came of an attempt to leave. */
export interface LeaveOutcome {
  /** Every other member has everything on stable storage: the transaction that removes may follow. */
  readonly isCovered: boolean;
  /**
   * The record under which that holds. The transaction must require it: another one may meanwhile
   * have removed those who have everything. If it fails, call `stay` or `leave` again.
   */
  readonly epoch: number;
  /** Own commits that no other member is known to have on stable storage. */
  readonly unreplicated: number;
}

/** Messages kept while a record is being stored; more are lost, as on a link that breaks. */
const WAITING_MESSAGES_MAX = 256;

/**
 * Replicates one keygroup with the other members: sends what is committed here, applies what they
 * send, catches up, and tells where it stands. Only members of the record may speak, each for itself.
 */
export class Replicator implements KeygroupEndpoint, ReplicationHook {
  readonly name: KeygroupName;
  readonly #host: ReplicaHost;
  readonly #context: ReplicationContext;
  readonly #router: ReplicationRouter;
  readonly #events: ReplicatorEvents;
  readonly #leaveRouter: () => void;
  readonly #outgoing: OutgoingUpdates;
  readonly #heartbeats: Heartbeats;
  readonly #staleness: StalenessTracker;
  readonly #pull: CatchUpPull;
  readonly #serving: CatchUpServing;
  readonly #linked = new Set<NodeName>();
  readonly #counts = createCounts();
  #peers = new Map<NodeName, Peer>();
  #membership: KeygroupMembership | undefined;
  /** Messages that came while a record was being stored. */
  #waiting: (() => void)[] | undefined;
  /** The latest record, while it is not acted under, and who waits for that. */
  #next: KeygroupMembership | undefined;
  #adopted: (() => void)[] = [];
  /** What is looked at whenever a member says where it stands. */
  readonly #checks = new Set<() => void>();
  #hasServed: boolean;
  #isClosed = false;

  constructor(options: ReplicatorOptions) {
    const { host, router, events, timing, ...shared } = options;
    this.name = host.name;
    this.#host = host;
    this.#router = router;
    this.#events = events;
    this.#hasServed = host.replica.identity.isServing;
    this.#context = {
      ...shared,
      host,
      timing: { ...DEFAULT_TIMING, ...timing },
      counts: this.#counts,
      send: (to, lane, message) => router.send(this.name, to, lane, message),
    };
    const peers = (): Iterable<Peer> => this.#peers.values();
    this.#outgoing = new OutgoingUpdates(this.#context, peers);
    this.#serving = new CatchUpServing(this.#context);
    this.#pull = new CatchUpPull(this.#context, {
      peers,
      roundTripMs: (peer) => router.roundTripMs(peer.node),
      completed: (held) => this.#caughtUp(held),
      mustRejoin: () => events.mustRejoin(),
      isTooFarBehind: () => this.#rejoinOnceCovered(),
    });
    const { identity, record } = host.replica;
    this.#staleness = new StalenessTracker(identity.epoch, record);
    this.#heartbeats = new Heartbeats(this.#context, peers, this.#staleness, () => {
      this.#pull.evaluate();
      this.#serving.sweep();
    });
    host.attach(this);
    this.#leaveRouter = router.add(this.name, this);
  }

  /** The record that it acts under; `undefined` before the first. */
  get membership(): KeygroupMembership | undefined {
    return this.#membership;
  }

  /**
   * Acts under a newer record from now on, once that is on stable storage; an older one is ignored.
   * The first one may be the one that the replica has stored.
   */
  async adopt(membership: KeygroupMembership): Promise<void> {
    const { replica } = this.#host;
    const newest = this.#next ?? this.#membership;
    const isOld = newest !== undefined && membership.epoch <= newest.epoch;
    if (this.#isClosed || isOld || membership.epoch < replica.record.epoch) return;
    if (membership.generation !== replica.identity.generation) return;
    const isStoring = this.#next !== undefined;
    this.#next = membership;
    this.#waiting ??= [];
    await new Promise<void>((resolve) => {
      this.#adopted.push(resolve);
      if (!isStoring) this.#storeNext();
    });
  }

  /**
   * Stops writing and waits until every other member, of whom there must be one, has everything here
   * on stable storage. If that takes longer than `withinMs`, writing goes on.
   */
  async leave(withinMs: number): Promise<LeaveOutcome> {
    this.#host.setLeaving(true);
    const isCovered = await new Promise<boolean>((resolve) => {
      const end = (isCovered: boolean): void => {
        cancel();
        this.#checks.delete(check);
        resolve(isCovered);
      };
      const cancel = this.#context.timers.after(withinMs, () => end(false));
      const check = (): void => {
        if (this.#isCoveredByAll()) end(true);
      };
      this.#checks.add(check);
      check();
    });
    if (!isCovered) this.#host.setLeaving(false);
    const epoch = this.#host.replica.record.epoch;
    return { isCovered, epoch, unreplicated: this.unreplicated() };
  }

  /** Does not leave after all: writing goes on. */
  stay(): void {
    this.#host.setLeaving(false);
  }

  /** How many own commits no other member is known to have on stable storage. */
  unreplicated(): number {
    const { vector, origin } = this.#host.replica;
    let known = 0;
    for (const { heartbeat } of this.#peers.values()) {
      known = Math.max(known, heartbeat?.durable.get(origin) ?? 0);
    }
    return Math.max(0, vector.get(origin) - known);
  }

  /**
   * How long ago a value that is read now may have been overwritten at another member; Infinity
   * while nothing is known of one. Of this node's own clock alone.
   */
  stalenessMs(): number {
    return this.#staleness.boundMs(this.#context.clock.monotonicMs(), this.#host.replica.vector);
  }

  /** True if one of these members is known to have that commit on stable storage. */
  isElsewhere(dot: Dot, members: ReadonlySet<number>): boolean {
    for (const { member, heartbeat } of this.#peers.values()) {
      if (members.has(member) && heartbeat?.durable.covers(dot)) return true;
    }
    return false;
  }

  metrics(): ReplicationMetrics {
    return {
      counts: this.#counts,
      stalenessMs: this.stalenessMs(),
      peers: [...this.#peers.values()].map((peer) => this.#peerMetrics(peer)),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#leaveRouter();
    this.#heartbeats.close();
    this.#pull.close();
    this.#serving.close();
  }

  // What the router tells.

  up(node: NodeName): void {
    this.#linked.add(node);
    const peer = this.#peers.get(node);
    if (!peer) return;
    this.#gone(peer);
    this.#staleness.forget(peer.member);
    peer.up();
    if (!this.#waiting) this.#heartbeats.to(peer);
  }

  down(node: NodeName): void {
    this.#linked.delete(node);
    const peer = this.#peers.get(node);
    if (!peer) return;
    peer.down();
    this.#staleness.forget(peer.member);
    this.#gone(peer);
    this.#pull.evaluate();
  }

  message(from: NodeName, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    let envelope;
    try {
      envelope = decodeMessage(bytes);
    } catch (error) {
      this.#counts.malformedTotal += 1;
      throw error;
    }
    const { generation, message } = envelope;
    if (generation !== this.#host.replica.identity.generation) {
      this.#counts.strangersTotal += 1;
    } else if (!this.#waiting) {
      this.#receive(from, message);
    } else if (this.#waiting.length < WAITING_MESSAGES_MAX) {
      this.#waiting.push(() => this.#receive(from, message));
    }
  }

  // What the keygroup tells.

  committed(update: Update): void {
    if (this.#peers.size > 0 && !this.#isClosed) this.#outgoing.add(update);
  }

  reopened(): void {
    this.#pull.forget();
  }

  #receive(from: NodeName, message: KeygroupMessage): void {
    const peer = this.#peers.get(from);
    if (!peer || !this.#isMember()) {
      this.#stranger(from, message);
      return;
    }
    switch (message.type) {
      case "updates":
        this.#receiveUpdates(peer, message.updates);
        break;
      case "heartbeat":
        this.#receiveHeartbeat(peer, message.heartbeat);
        break;
      case "request":
        if (message.request.member !== peer.member) {
          this.#stranger(from, message);
          break;
        }
        peer.isBehind = false;
        this.#serving.request(peer, message.request);
        break;
      case "chunk":
        this.#pull.chunk(peer, message.chunk);
        break;
      case "next":
        this.#serving.next(peer, message.id, message.sequence);
        break;
      case "cancel":
        this.#serving.cancel(peer, message.id);
        break;
      case "reset":
        this.#pull.reset(peer, message.id, message.floor);
        break;
      case "refused":
        this.#pull.refused(peer, message.id);
        break;
    }
  }

  /** Ignores a message; whoever asks to catch up is told, so that it asks another member. */
  #stranger(from: NodeName, message: KeygroupMessage): void {
    this.#counts.strangersTotal += 1;
    if (message.type !== "request") return;
    const { generation } = this.#host.replica.identity;
    const refused = encodeMessage(generation, { type: "refused", id: message.request.id });
    this.#router.send(this.name, from, "control", refused);
  }

  #receiveUpdates(peer: Peer, updates: readonly Update[]): void {
    if (updates.some(({ dot }) => dot.epoch !== peer.member)) {
      this.#counts.strangersTotal += 1;
      return;
    }
    this.#host.change<ReceiveEffects[]>({
      work: (replica, transaction) => storeUpdates(replica, transaction, updates),
      done: (received) => this.#received(updates, received),
      failed: () => {},
    });
  }

  #received(updates: readonly Update[], received: readonly ReceiveEffects[]): void {
    const counts = this.#counts;
    for (const [at, { outcome, applied }] of received.entries()) {
      counts.updatesAppliedTotal += applied.length;
      if (outcome === "ignored") counts.updatesIgnoredTotal += 1;
      if (outcome === "applied" || outcome === "ignored") continue;
      if (outcome === "held") counts.updatesHeldTotal += 1;
      else counts.updatesDroppedTotal += 1;
      this.#pull.held((updates[at] as Update).dot);
    }
    this.#heartbeats.soon();
  }

  #receiveHeartbeat(peer: Peer, heartbeat: Heartbeat): void {
    const { replica } = this.#host;
    const { logger, clock } = this.#context;
    const outcome = replica.receiveHeartbeat(peer.member, heartbeat);
    if (outcome.type !== "noted") {
      this.#counts.strangersTotal += 1;
      if (outcome.type === "rejected") {
        const { problem } = outcome;
        logger.warn({ keygroup: this.name, node: peer.node, problem }, "a heartbeat is impossible");
      }
      return;
    }
    this.#counts.heartbeatsReceivedTotal += 1;
    const isFirst = peer.heartbeat === undefined;
    this.#staleness.heard(peer.member, heartbeat);
    peer.heard(heartbeat, outcome.canServe, replica.vector, clock.monotonicMs());
    if (isFirst) this.#heartbeats.to(peer);
    for (const check of this.#checks) check();
    this.#pull.evaluate();
  }

  #caughtUp(held: ReceiveEffects | undefined): void {
    this.#counts.updatesAppliedTotal += held?.applied.length ?? 0;
    this.#heartbeats.soon();
    if (!this.#hasServed) {
      this.#hasServed = true;
      this.#events.serving();
    }
    this.#pull.evaluate();
  }

  #gone(peer: Peer): void {
    this.#pull.peerGone(peer);
    this.#serving.peerGone(peer);
  }

  #isMember(): boolean {
    const own = this.#host.replica.identity.epoch;
    return this.#membership?.members.some(({ epoch }) => epoch === own) === true;
  }

  /** Stores the next record; nothing of it is acted upon before it is synced. */
  #storeNext(): void {
    const next = this.#next;
    if (!next || this.#isClosed) return;
    const again = (): void => {
      const { timers, timing } = this.#context;
      timers.after(timing.heartbeatIntervalMs, () => this.#storeNext());
    };
    this.#host.change({
      work: (replica) => ({ writes: replica.adopt(recordOf(next)), touched: [], value: undefined }),
      done: () => {
        this.#host.sync().then(() => this.#act(next), again);
      },
      failed: again,
    });
  }

  /** Acts under a record that is stored, unless a newer one has come meanwhile. */
  #act(membership: KeygroupMembership): void {
    if (this.#isClosed) return;
    if (this.#next !== membership) {
      this.#storeNext();
      return;
    }
    this.#next = undefined;
    this.#membership = membership;
    this.#staleness.adopt(recordOf(membership));
    this.#setPeers(membership);
    const [waiting, adopted] = [this.#waiting ?? [], this.#adopted];
    this.#waiting = undefined;
    this.#adopted = [];
    for (const resolve of adopted) resolve();
    if (!this.#isMember()) {
      this.#events.removed();
      return;
    }
    for (const deliver of waiting) deliver();
    this.#heartbeats.now();
  }

  #setPeers({ members }: KeygroupMembership): void {
    const own = this.#host.replica.identity.epoch;
    const before = this.#peers;
    this.#peers = new Map();
    for (const { epoch, node } of members) {
      if (epoch === own) continue;
      const known = before.get(node);
      const isSame = known?.member === epoch;
      this.#peers.set(node, isSame ? known : new Peer(node, epoch, this.#linked.has(node)));
    }
    for (const peer of before.values()) {
      if (this.#peers.get(peer.node) !== peer) this.#gone(peer);
    }
  }

  /** Stops writing, and joins as another member once some member has everything that is here. */
  #rejoinOnceCovered(): void {
    this.#host.setLeaving(true);
    const check = (): void => {
      const { vector } = this.#host.replica;
      for (const { heartbeat } of this.#peers.values()) {
        if (!heartbeat?.isServing || !heartbeat.durable.includes(vector)) continue;
        this.#checks.delete(check);
        this.#events.mustRejoin();
        return;
      }
    };
    this.#checks.add(check);
  }

  #isCoveredByAll(): boolean {
    const { vector } = this.#host.replica;
    for (const { heartbeat } of this.#peers.values()) {
      if (!heartbeat?.isServing || !heartbeat.durable.includes(vector)) return false;
    }
    return this.#peers.size > 0 && this.#waiting === undefined;
  }

  #peerMetrics(peer: Peer): PeerMetrics {
    const { vector } = this.#host.replica;
    const applied = peer.heartbeat?.applied;
    let lagUpdates = 0;
    for (const dot of applied?.entries() ?? []) {
      if (!vector.covers(dot)) lagUpdates += dot.counter - vector.get(dot);
    }
    let behindUpdates = 0;
    for (const dot of applied ? vector.entries() : []) {
      if (!applied?.covers(dot)) behindUpdates += dot.counter - (applied?.get(dot) ?? 0);
    }
    return {
      node: peer.node,
      isLinked: peer.isUp,
      isServing: peer.heartbeat?.isServing === true,
      lagUpdates,
      behindUpdates,
      outboxBytes: this.#outgoing.waitingBytes + this.#router.backlogBytes(peer.node, "update"),
    };
  }
}
