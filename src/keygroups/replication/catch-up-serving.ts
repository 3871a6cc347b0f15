import type { CatchUpAnswer, CatchUpCursor, CatchUpRequest } from "../../core/catch-up.js";
import { encodeMessage } from "../../core/wire/messages.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";

interface Serving {
  readonly peer: Peer;
  readonly request: CatchUpRequest;
  cursor: CatchUpCursor | undefined;
  /** Chunks that have been made, and how many the receiver has room for. */
  made: number;
  granted: number;
  /** A chunk is made and has not left yet. */
  isBusy: boolean;
  lastMs: number;
}

/** When a link takes no more, how long until it is tried again. */
const RETRY_MS = 20;

/**
 * The sender's side of catch-ups: one per peer, chunk by chunk from the live store, with other work
 * of the node in between, never more than the receiver has room for.
 */
export class CatchUpServing {
  readonly #context: ReplicationContext;
  readonly #servings = new Map<Peer, Serving>();
  #isClosed = false;

  constructor(context: ReplicationContext) {
    this.#context = context;
  }

  /** How many run. */
  get size(): number {
    return this.#servings.size;
  }

  /**
   * Begins to answer; an older catch-up of that peer ends. A request that comes again begins nothing:
   * the receiver could not tell the chunks of two answers apart.
   */
  request(peer: Peer, request: CatchUpRequest): void {
    if (request.id <= peer.lastRequest) return;
    peer.lastRequest = request.id;
    const serving: Serving = {
      peer,
      request,
      cursor: undefined,
      made: 0,
      granted: this.#context.timing.chunkWindow,
      isBusy: false,
      lastMs: this.#context.clock.monotonicMs(),
    };
    this.#servings.set(peer, serving);
    this.#step(serving);
  }

  /** The receiver has stored all chunks before `sequence`. */
  next(peer: Peer, id: number, sequence: number): void {
    const serving = this.#servings.get(peer);
    if (serving?.request.id !== id || sequence > serving.made) return;
    serving.lastMs = this.#context.clock.monotonicMs();
    const { chunkWindow } = this.#context.timing;
    serving.granted = Math.max(serving.granted, sequence + chunkWindow);
    this.#step(serving);
  }

  /** The receiver wants no more. */
  cancel(peer: Peer, id: number): void {
    if (this.#servings.get(peer)?.request.id === id) this.#servings.delete(peer);
  }

  /** The peer's link is gone, or it is no member any more. */
  peerGone(peer: Peer): void {
    this.#servings.delete(peer);
  }

  /** Ends what no receiver asks for any more. */
  sweep(): void {
    const { clock, timing } = this.#context;
    const oldestMs = clock.monotonicMs() - 2 * timing.catchUpTimeoutMs;
    for (const [peer, { lastMs }] of this.#servings) {
      if (lastMs < oldestMs) this.#servings.delete(peer);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#servings.clear();
  }

  #isCurrent(serving: Serving): boolean {
    return !this.#isClosed && this.#servings.get(serving.peer) === serving;
  }

  #step(serving: Serving): void {
    if (serving.isBusy || serving.made >= serving.granted || !this.#isCurrent(serving)) return;
    const { host, timing } = this.#context;
    const { request, cursor } = serving;
    const answer = host.replica.serveCatchUp(host.rows, request, cursor, timing.chunkBudget);
    const { generation } = host.replica.identity;
    const message = encodeMessage(generation, answer);
    serving.isBusy = true;
    host.whenShareable(() => this.#deliver(serving, answer, message));
  }

  #deliver(serving: Serving, answer: CatchUpAnswer, message: Uint8Array): void {
    if (!this.#isCurrent(serving)) return;
    const { send, timers, counts, clock } = this.#context;
    if (!send(serving.peer.node, "bulk", message)) {
      timers.after(RETRY_MS, () => this.#deliver(serving, answer, message));
      return;
    }
    serving.isBusy = false;
    serving.made += 1;
    serving.lastMs = clock.monotonicMs();
    if (answer.type === "chunk" && answer.cursor) {
      serving.cursor = answer.cursor;
      timers.after(0, () => this.#step(serving));
      return;
    }
    if (answer.type === "chunk") counts.catchUpsServedTotal += 1;
    this.#servings.delete(serving.peer);
  }
}
