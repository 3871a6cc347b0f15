import type { CatchUpChunk } from "../../core/catch-up.js";
import type { Dot } from "../../core/dot.js";
import type { NodeName } from "../../core/ids.js";
import type { ReceiveEffects } from "../../core/update.js";
import type { Vector } from "../../core/vector.js";
import { encodeMessage, type KeygroupMessage } from "../../core/wire/messages.js";
import type { ReplicationContext } from "./context.js";
import { JoinProgress } from "./join-progress.js";
import type { CatchUpProgress } from "./metrics.js";
import type { Peer } from "./peer.js";
import { storeChunk, type StoredChunk } from "./store-received.js";

interface Running {
  readonly id: number;
  readonly peer: Peer;
  cancelTimeout: () => void;
}

/** What a pull asks of its replicator. */
export interface PullEvents {
  readonly peers: Iterable<Peer>;
  /** Whom a join had better ask; see `ReplicatorOptions.joinFrom`. */
  readonly joinFrom: NodeName | undefined;
  readonly roundTripMs: (peer: Peer) => number;
  /** Everything of a catch-up is stored. */
  completed(held: ReceiveEffects | undefined): void;
  /** What the members have collected cannot be brought here any more: join afresh from that one. */
  mustRejoin(from: Peer): void;
  /** That one has more than is staged here at once. Nothing is asked for until {@link CatchUpPull.goOn}. */
  isTooFarBehind(from: Peer): void;
}

/** Rows of an older life that are dropped in one turn. */
const SWEEP_ROWS = 512;
/** After so many refusals in a row a join gives up what it has and begins anew. */
const REFUSALS_MAX = 8;

/**
 * The receiver's side of catch-ups: decides when one is needed and whom to ask, one at a time, takes
 * the chunks at its own pace and goes to another member when one breaks off.
 */
export class CatchUpPull {
  readonly #context: ReplicationContext;
  readonly #events: PullEvents;
  #running: Running | undefined;
  /** The first update that waits for others, and since when. */
  #held: { readonly dot: Dot; readonly sinceMs: number } | undefined;
  /** Nothing is left in the store from before a join. */
  #isSwept = false;
  #isSweeping = false;
  /** Refusals since the last chunk. */
  #refusals = 0;
  readonly #progress = new JoinProgress();
  /** Since when a join could have begun. */
  #ableSinceMs: number | undefined;
  #isPaused = false;
  #stagesAll = false;
  #isClosed = false;

  constructor(context: ReplicationContext, events: PullEvents) {
    this.#context = context;
    this.#events = events;
  }

  /** True while one runs. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** How far the replica has been filled, while it joins. */
  get progress(): CatchUpProgress | undefined {
    return this.#context.host.replica.identity.isServing ? undefined : this.#progress.now;
  }

  /** Notes that an update waits for others, or found no room to. */
  held(dot: Dot): void {
    this.#held ??= { dot, sinceMs: this.#context.clock.monotonicMs() };
  }

  /** Begins a catch-up if one is due. Called whenever something was learnt, and in intervals. */
  evaluate(): void {
    if (this.#running || this.#isPaused || this.#isClosed) return;
    const { host, clock } = this.#context;
    const { vector, identity } = host.replica;
    const nowMs = clock.monotonicMs();
    if (this.#held && vector.covers(this.#held.dot)) this.#held = undefined;
    const hasHeld = this.#held !== undefined && this.#hasWaited(this.#held.sinceMs);
    const due: Peer[] = [];
    const able: Peer[] = [];
    for (const peer of this.#events.peers) {
      peer.compare(vector, nowMs);
      if (!peer.isUp || !peer.canServe || nowMs < peer.avoidUntilMs) continue;
      able.push(peer);
      const isDue = peer.ahead && (hasHeld || this.#isDue(peer, peer.ahead.sinceMs, vector));
      if (!identity.isServing || isDue) due.push(peer);
    }
    // Whoever has what a held update waits for may not have said so yet.
    const asked = due.length === 0 && hasHeld ? able : due;
    const nearest = this.#nearest(identity.isServing ? asked : this.#toJoinFrom(asked));
    if (nearest) this.#begin(nearest);
  }

  /** Goes on after `isTooFarBehind`, and stages the next one however large it is. */
  goOn(): void {
    this.#isPaused = false;
    this.#stagesAll = true;
    this.evaluate();
  }

  /** Takes a chunk of `peer`. */
  chunk(peer: Peer, chunk: CatchUpChunk): void {
    const running = this.#runningFrom(peer, chunk.id);
    if (!running) return;
    this.#watch(running);
    this.#context.host.change<StoredChunk>({
      work: (replica, transaction) => storeChunk(replica, transaction, chunk, peer.member),
      done: (stored) => {
        peer.conflictsTotal += stored.conflicts;
        this.#stored(running, chunk, stored);
      },
      failed: () => this.#fail(running),
    });
  }

  /** The sender has collected what this replica lacks; true only if that still holds. */
  reset(peer: Peer, id: number, floor: Vector): void {
    const running = this.#runningFrom(peer, id);
    if (!running) return;
    const { host, counts } = this.#context;
    counts.resetsReceivedTotal += 1;
    this.#fail(running);
    if (!host.replica.identity.isServing) this.#abandonJoin();
    else if (host.replica.mustRejoin(floor)) this.#events.mustRejoin(peer);
  }

  /** The sender does not serve this replica. */
  refused(peer: Peer, id: number): void {
    const running = this.#runningFrom(peer, id);
    if (!running) return;
    this.#context.counts.refusalsReceivedTotal += 1;
    this.#fail(running);
    this.#refusals += 1;
    if (this.#refusals >= REFUSALS_MAX) this.#abandonJoin();
  }

  /** The peer's link is gone, or it is no member any more. */
  peerGone(peer: Peer): void {
    if (this.#running?.peer === peer) this.#fail(this.#running);
  }

  /** The replica is another object and knows of no catch-up. */
  forget(): void {
    this.#held = undefined;
    if (this.#running) this.#fail(this.#running);
  }

  close(): void {
    this.#isClosed = true;
    this.#running?.cancelTimeout();
    this.#running = undefined;
  }

  /**
   * Waits for what a linked member sends anyway; asks at once for what nobody is about to send:
   * after a link came up, and for members that have no link to this one.
   */
  #isDue(peer: Peer, sinceMs: number, vector: Vector): boolean {
    if (peer.isFresh || this.#hasWaited(sinceMs)) return true;
    const linked = new Set<number>();
    for (const { isUp, member } of this.#events.peers) if (isUp) linked.add(member);
    const missing = peer.standing?.applied.entries() ?? [];
    return missing.some((dot) => !linked.has(dot.epoch) && !vector.covers(dot));
  }

  #hasWaited(sinceMs: number): boolean {
    const { clock, timing } = this.#context;
    return clock.monotonicMs() - sinceMs >= timing.catchUpAfterMs;
  }

  /**
   * The one that it had better ask, while that one has a link; after some time whoever is there.
   *
   * why wait: the nearest may lack the very thing that made this replica join afresh, and it would
   * have to do so again, and again.
   */
  #toJoinFrom(able: readonly Peer[]): readonly Peer[] {
    const { joinFrom, peers } = this.#events;
    const { clock, timing } = this.#context;
    if (able.length === 0 || !this.#isSwept) return able;
    this.#ableSinceMs ??= clock.monotonicMs();
    if (clock.monotonicMs() - this.#ableSinceMs > timing.catchUpTimeoutMs) return able;
    const better = [...peers].find(({ node, isUp }) => node === joinFrom && isUp);
    return better ? able.filter((peer) => peer === better) : able;
  }

  #nearest(peers: readonly Peer[]): Peer | undefined {
    let nearest: Peer | undefined;
    let nearestMs = Infinity;
    for (const peer of peers) {
      const distanceMs = this.#events.roundTripMs(peer);
      if (nearest && distanceMs >= nearestMs) continue;
      nearest = peer;
      nearestMs = distanceMs;
    }
    return nearest;
  }

  #begin(peer: Peer): void {
    const { host, counts } = this.#context;
    if (!host.replica.identity.isServing && !this.#isSwept) {
      this.#sweep();
      return;
    }
    const request = host.replica.catchUpRequest(host.rows, peer.member, this.#stagesAll);
    const running: Running = { id: request.id, peer, cancelTimeout: () => {} };
    this.#running = running;
    counts.catchUpsBegunTotal += 1;
    this.#watch(running);
    if (!this.#send(peer, { type: "request", request })) this.#fail(running);
  }

  #stored(running: Running, chunk: CatchUpChunk, { effects, held }: StoredChunk): void {
    if (this.#running !== running) return;
    const { host, counts, logger } = this.#context;
    const { outcome, problem } = effects;
    if (outcome !== "held" && outcome !== "applied") {
      if (problem) logger.warn({ keygroup: host.name, node: running.peer.node }, problem);
      this.#fail(running);
      if (outcome === "rejected") this.#abandonJoin();
      if (outcome === "rejoin") {
        this.#isPaused = true;
        this.#events.isTooFarBehind(running.peer);
      }
      return;
    }
    this.#refusals = 0;
    this.#progress.stored(running.peer.node, chunk);
    if (!chunk.end) {
      const next = { type: "next", id: running.id, sequence: chunk.sequence + 1 } as const;
      if (!this.#send(running.peer, next)) this.#fail(running);
      return;
    }
    running.cancelTimeout();
    this.#running = undefined;
    this.#stagesAll = false;
    running.peer.isFresh = false;
    this.#held = undefined;
    running.peer.compare(host.replica.vector, this.#context.clock.monotonicMs());
    counts.catchUpsCompletedTotal += 1;
    this.#events.completed(held);
  }

  #fail(running: Running): void {
    if (this.#running !== running) return;
    const { host, counts, clock, timing, random } = this.#context;
    running.cancelTimeout();
    this.#running = undefined;
    counts.catchUpsBrokenTotal += 1;
    host.replica.cancelCatchUp(running.id);
    running.peer.avoidUntilMs = clock.monotonicMs() + timing.catchUpBackoffMs * (0.5 + random());
    if (running.peer.isUp) this.#send(running.peer, { type: "cancel", id: running.id });
  }

  /** Drops, bit by bit, what the store held before, so that a join may begin. */
  #sweep(): void {
    if (this.#isSweeping || this.#isClosed) return;
    this.#isSweeping = true;
    this.#context.host.change<boolean>({
      work: (replica, transaction) => {
        const writes = replica.sweep(transaction, SWEEP_ROWS);
        return { writes, touched: [], value: writes.length === 0 };
      },
      done: (isSwept) => {
        this.#isSweeping = false;
        this.#isSwept = isSwept;
        if (isSwept) this.evaluate();
        else this.#context.timers.after(0, () => this.#sweep());
      },
      failed: () => {
        this.#isSweeping = false;
      },
    });
  }

  /** No member can go on with what a join has brought so far: it begins anew. */
  #abandonJoin(): void {
    this.#refusals = 0;
    if (this.#context.host.replica.identity.isServing) return;
    this.#isSwept = false;
    this.#progress.reset();
    this.#context.host.change({
      work: (replica) => ({ writes: replica.abandonJoin(), touched: [], value: undefined }),
      done: () => this.evaluate(),
      failed: () => {},
    });
  }

  #watch(running: Running): void {
    running.cancelTimeout();
    const { timers, timing } = this.#context;
    running.cancelTimeout = timers.after(timing.catchUpTimeoutMs, () => {
      this.#fail(running);
      this.evaluate();
    });
  }

  #runningFrom(peer: Peer, id: number): Running | undefined {
    const running = this.#running;
    return running?.peer === peer && running.id === id ? running : undefined;
  }

  #send(peer: Peer, message: Exclude<KeygroupMessage, { type: "updates" }>): boolean {
    const { host, send } = this.#context;
    return send(peer.node, "control", encodeMessage(host.replica.identity.generation, message));
  }
}
