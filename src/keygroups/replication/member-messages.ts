import type { NodeName } from "../../core/ids.js";
import type { StandingOutcome } from "../../core/heartbeat.js";
import type { HeartbeatChange } from "../../core/heartbeat-changes.js";
import type { Relay } from "../../core/relay.js";
import type { StalenessTracker } from "../../core/staleness.js";
import type { RelayedStanding } from "../../core/standing.js";
import type { Update } from "../../core/update.js";
import { encodeMessage, type KeygroupMessage } from "../../core/wire/messages.js";
import { recordApplied } from "./applied-spans.js";
import type { CatchUpPull } from "./catch-up-pull.js";
import type { CatchUpServing } from "./catch-up-serving.js";
import type { ReplicationContext } from "./context.js";
import { isFromTheFuture } from "./future.js";
import type { Heartbeats } from "./heartbeats.js";
import type { Peer } from "./peer.js";
import type { Peers } from "./peers.js";
import { storeUpdates, type StoredUpdates } from "./store-received.js";

/** Who does what the messages of members ask for. */
export interface MessageParts {
  readonly peers: Peers;
  readonly pull: CatchUpPull;
  readonly serving: CatchUpServing;
  readonly heartbeats: Heartbeats;
  readonly staleness: StalenessTracker;
  readonly relay: Relay;
  /** This replica is a member of the record that it acts under. */
  readonly isMember: () => boolean;
  /** A member has said where it stands. */
  readonly heard: () => void;
}

/**
 * Gives each message to the part that it is for. Only members of the record may speak, each of
 * its own commits; what others say is counted and ignored.
 */
export class MemberMessages {
  readonly #context: ReplicationContext;
  readonly #parts: MessageParts;

  constructor(context: ReplicationContext, parts: MessageParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Takes a message of the node `from`. */
  receive(from: NodeName, message: KeygroupMessage): void {
    const { peers, pull, serving, isMember } = this.#parts;
    const peer = peers.get(from);
    if (!peer || !isMember()) {
      this.#ignore(from, message);
      return;
    }
    if (isFromTheFuture(message, this.#context.clock.nowMs())) {
      this.#refuse(peer, "its time is more than a day ahead of this node's clock");
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
          this.#ignore(from, message);
          break;
        }
        peer.isBehind = false;
        serving.request(peer, message.request);
        break;
      case "chunk":
        pull.chunk(peer, message.chunk);
        break;
      case "next":
        serving.next(peer, message.id, message.sequence);
        break;
      case "cancel":
        serving.cancel(peer, message.id);
        break;
      case "reset":
        pull.reset(peer, message.id, message.floor);
        break;
      case "refused":
        pull.refused(peer, message.id);
        break;
    }
  }

  /** Whoever asks to catch up and is no member is told, so that it asks another one. */
  #ignore(from: NodeName, message: KeygroupMessage): void {
    const { host, counts, send } = this.#context;
    counts.strangersTotal += 1;
    if (message.type !== "request") return;
    const { generation } = host.replica.identity;
    const refused = encodeMessage(generation, { type: "refused", id: message.request.id });
    send(from, "control", refused);
  }

  /** Takes nothing of a message that claims what cannot be, and says so once for each problem. */
  #refuse(peer: Peer, problem: string): void {
    const { host, counts, logger } = this.#context;
    counts.refusedTotal += 1;
    if (peer.problems.has(problem)) return;
    peer.problems.add(problem);
    const detail = { keygroup: host.name, node: peer.node, problem };
    logger.warn(detail, "what a member says cannot be, and is not taken");
  }

  #receiveUpdates(peer: Peer, updates: readonly Update[]): void {
    const { host, counts, tracer, clock } = this.#context;
    if (updates.some(({ dot }) => dot.epoch !== peer.member)) {
      counts.strangersTotal += 1;
      return;
    }
    const cameAtMs = tracer.isOn ? clock.monotonicMs() : 0;
    host.change<StoredUpdates>({
      work: (replica, transaction) => storeUpdates(replica, transaction, updates),
      done: (stored) => {
        this.#received(peer, updates, stored);
        if (tracer.isOn) recordApplied(this.#context, peer, stored, cameAtMs);
      },
      failed: () => {},
    });
  }

  #received(peer: Peer, updates: readonly Update[], { received, conflicts }: StoredUpdates): void {
    const { counts } = this.#context;
    const { pull, heartbeats } = this.#parts;
    peer.conflictsTotal += conflicts;
    for (const [at, { outcome, applied }] of received.entries()) {
      counts.updatesAppliedTotal += applied.length;
      peer.updatesAppliedTotal += applied.length;
      if (outcome === "ignored") counts.updatesIgnoredTotal += 1;
      if (outcome === "applied" || outcome === "ignored") continue;
      if (outcome === "held") counts.updatesHeldTotal += 1;
      else counts.updatesDroppedTotal += 1;
      pull.held((updates[at] as Update).dot);
    }
    heartbeats.soon();
  }

  #receiveHeartbeat(peer: Peer, change: HeartbeatChange): void {
    const { host, clock, counts } = this.#context;
    const { pull, heartbeats, staleness, relay, heard } = this.#parts;
    const { member, link } = peer;
    const heartbeat = link.take(change);
    if (!heartbeat) {
      counts.heartbeatsIncompleteTotal += 1;
      return;
    }
    const { replica } = host;
    const { standing, hlc, echo } = heartbeat;
    const outcome = replica.receiveStanding(member, standing, hlc);
    if (!this.#isNoted(peer, outcome)) return;
    counts.heartbeatsReceivedTotal += 1;
    const isFirst = peer.standing === undefined;
    const asOf = link.ownStamp(echo);
    link.taken(heartbeat, clock.monotonicMs());
    relay.note(standing, asOf, member);
    if (asOf !== undefined) staleness.heard(standing, asOf);
    peer.heard(standing, outcome.canServe, replica.vector, clock.monotonicMs());
    for (const relayed of heartbeat.relayed) this.#receiveRelayed(peer, relayed);
    if (isFirst) heartbeats.to(peer);
    heard();
    pull.evaluate();
  }

  /** Takes where a third member stands, unless that can say so itself. */
  #receiveRelayed(peer: Peer, { standing, echo }: RelayedStanding): void {
    const { peers, staleness, relay } = this.#parts;
    const { host, counts } = this.#context;
    const asOf = peer.link.ownStamp(echo);
    const about = peers.ofMember(standing.member);
    if (!about || about.isUp || asOf === undefined) return;
    const outcome = host.replica.receiveStanding(standing.member, standing);
    if (!this.#isNoted(peer, outcome)) return;
    counts.relayedReceivedTotal += 1;
    relay.note(standing, asOf, peer.member);
    staleness.heard(standing, asOf);
  }

  #isNoted(peer: Peer, outcome: StandingOutcome): outcome is StandingOutcome & { type: "noted" } {
    if (outcome.type === "rejected") this.#refuse(peer, outcome.problem);
    if (outcome.type === "ignored") this.#context.counts.strangersTotal += 1;
    return outcome.type === "noted";
  }
}
