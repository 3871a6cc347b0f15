import type { StalenessTracker } from "../../core/staleness.js";
import { encodeMessage } from "../../core/wire/messages.js";
import { repeat } from "../repeat.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";

/**
 * Tells every linked member where this one stands: in intervals, and soon after something changed
 * that no update has told. They drive acknowledgement, staleness and catch-ups.
 */
export class Heartbeats {
  readonly #context: ReplicationContext;
  readonly #peers: Iterable<Peer>;
  readonly #staleness: StalenessTracker;
  readonly #stop: () => void;
  #lastMs = -Infinity;
  #cancelSoon: (() => void) | undefined;
  #isClosed = false;

  constructor(
    context: ReplicationContext,
    peers: Iterable<Peer>,
    staleness: StalenessTracker,
    tick: () => void,
  ) {
    this.#context = context;
    this.#peers = peers;
    this.#staleness = staleness;
    const { timers, timing } = context;
    this.#stop = repeat(timers, timing.heartbeatIntervalMs, () => {
      this.now();
      tick();
    });
  }

  /** Sends one to all who are linked. */
  now(): void {
    this.#cancelSoon?.();
    this.#cancelSoon = undefined;
    this.#lastMs = this.#context.clock.monotonicMs();
    for (const peer of this.#peers) this.to(peer);
  }

  /** Sends one to a single peer. */
  to(peer: Peer): void {
    if (!peer.isUp || this.#isClosed) return;
    const { host, clock, send, counts } = this.#context;
    const { replica } = host;
    const heartbeat = replica.heartbeat(this.#staleness.exchange(peer.member, clock.monotonicMs()));
    const message = encodeMessage(replica.identity.generation, { type: "heartbeat", heartbeat });
    host.whenShareable(() => {
      if (peer.isUp && send(peer.node, "control", message)) counts.heartbeatsSentTotal += 1;
    });
  }

  /** Sends one to all as soon as the last is old enough; changes until then share it. */
  soon(): void {
    if (this.#cancelSoon || this.#isClosed) return;
    const { clock, timers, timing } = this.#context;
    const readyMs = this.#lastMs + timing.heartbeatSpacingMs;
    const delayMs = Math.max(0, readyMs - clock.monotonicMs());
    this.#cancelSoon = timers.after(delayMs, () => this.now());
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#cancelSoon?.();
  }
}
