import type { Relay } from "../../core/relay.js";
import type { Standing } from "../../core/standing.js";
import { vectorChange } from "../../core/vector-change.js";
import { encodeMessage } from "../../core/wire/messages.js";
import { repeat } from "../repeat.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";
import type { Peers } from "./peers.js";

/**
 * Tells every linked member where this one stands: in intervals, and soon after something changed
 * that no update has told. They drive acknowledgement, staleness and catch-ups. Those in intervals
 * also tell who cannot hear a third member what is known of that one.
 */
export class Heartbeats {
  readonly #context: ReplicationContext;
  readonly #peers: Peers;
  readonly #relay: Relay;
  readonly #stop: () => void;
  #lastMs = -Infinity;
  #cancelSoon: (() => void) | undefined;
  /** What was told last: the same object as long as nothing changes. */
  #standing: Standing | undefined;
  #isClosed = false;

  constructor(context: ReplicationContext, peers: Peers, relay: Relay, tick: () => void) {
    this.#context = context;
    this.#peers = peers;
    this.#relay = relay;
    const { timers, timing } = context;
    this.#stop = repeat(timers, timing.heartbeatIntervalMs, () => {
      this.now();
      tick();
    });
  }

  /** Sends one to all who are linked. */
  now(): void {
    this.#sendAll(true);
  }

  /** Sends one to a single peer. */
  to(peer: Peer): void {
    if (!this.#isClosed) this.#send(peer, this.#stand(), this.#peers.unlinked(), true);
  }

  /** Sends one to all as soon as the last is old enough; changes until then share it. */
  soon(): void {
    if (this.#cancelSoon || this.#isClosed) return;
    const { clock, timers, timing } = this.#context;
    const readyMs = this.#lastMs + timing.heartbeatSpacingMs;
    const delayMs = Math.max(0, readyMs - clock.monotonicMs());
    this.#cancelSoon = timers.after(delayMs, () => this.#sendAll(false));
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#cancelSoon?.();
  }

  #sendAll(isRelaying: boolean): void {
    this.#cancelSoon?.();
    this.#cancelSoon = undefined;
    if (this.#isClosed) return;
    this.#lastMs = this.#context.clock.monotonicMs();
    const [standing, wants] = [this.#stand(), this.#peers.unlinked()];
    for (const peer of this.#peers) this.#send(peer, standing, wants, isRelaying);
  }

  #send(peer: Peer, standing: Standing, wants: readonly number[], isRelaying: boolean): void {
    if (!peer.isUp) return;
    const { host, clock, send, counts } = this.#context;
    const { generation } = host.replica.identity;
    const { link, member } = peer;
    const told = { member, wants: link.wanted, echoAt: (asOf: number) => link.echoAt(asOf) };
    const relayed = isRelaying ? this.#relay.tell(told) : [];
    const content = { standing, hlc: host.replica.hlc, wants, relayed };
    const heartbeat = link.next(content, clock.monotonicMs());
    if (!heartbeat) return;
    counts.relayedSentTotal += heartbeat.relayed.length;
    const message = encodeMessage(generation, { type: "heartbeat", heartbeat });
    host.whenShareable(() => {
      if (peer.link !== link) return;
      if (send(peer.node, "control", message)) counts.heartbeatsSentTotal += 1;
      else link.failed();
    });
  }

  /** Where this replica stands: the object that was told last, if that still says it. */
  #stand(): Standing {
    const before = this.#standing;
    const now = this.#context.host.replica.standing();
    if (before && isSame(before, now)) return before;
    this.#standing = now;
    return now;
  }
}

function isSame(before: Standing, now: Standing): boolean {
  return (
    before.epoch === now.epoch &&
    before.restart === now.restart &&
    before.isServing === now.isServing &&
    vectorChange(before.applied, now.applied) === undefined &&
    vectorChange(before.durable, now.durable) === undefined
  );
}
