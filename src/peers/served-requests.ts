import { assert } from "../base/assert.js";
import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import { PeerSlots } from "../channel/slot-table.js";
import type { LinkLane, Links } from "../ports/links.js";
import type { Logger } from "../ports/logger.js";
import type { Timers } from "../ports/timers.js";
import {
  CHUNK_BYTES_MAX,
  decodeCredit,
  decodeRequest,
  encodeError,
  encodeFrame,
  malformed,
  REQUEST_TYPE,
  WINDOW_BYTES,
} from "./request-frames.js";

/** What requests work with. */
export interface RequestsOptions {
  readonly links: Links;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** A request of another node. */
export interface PeerRequest {
  /** Who asks: what it may ask for is for the handler to decide. */
  readonly peer: NodeName;
  readonly body: Uint8Array;
  /** How long the peer will wait, from now. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits any more: the peer gave up, or its link is down. */
  readonly signal: AbortSignal;
}

type Answer = Uint8Array | AsyncIterable<Uint8Array>;

/** Answers a request: with bytes, or with a stream of them if one was asked for. */
export type RequestHandler = (request: PeerRequest) => Answer | Promise<Answer>;

/** A request that is being served. */
class Served implements PeerRequest {
  readonly peer: NodeName;
  readonly id: number;
  readonly lane: LinkLane;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  /** What the stream may still send. */
  creditBytes = WINDOW_BYTES;
  /** Goes on with what waits for credit, room or the end. */
  wake: (() => void) | undefined;
  isOver = false;
  #controller: AbortController | undefined;

  constructor(peer: NodeName, id: number, head: ReturnType<typeof decodeRequest>) {
    this.peer = peer;
    this.id = id;
    this.lane = head.lane;
    this.body = head.body;
    this.timeoutMs = head.timeoutMs;
  }

  /** why only when asked for: most handlers are done before they could look. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isOver) this.#controller.abort();
    return this.#controller.signal;
  }

  cancel(): void {
    this.isOver = true;
    this.#controller?.abort();
    this.wake?.();
  }
}

/** What one peer has asked for. */
interface PeerLoad {
  readonly served: PeerSlots<Served>;
  count: number;
  /** Bodies of what is being served, and answers that wait for room on the link. */
  bytes: number;
}

/** Serves the requests of other nodes, within bounds per node. */
export class ServedRequests {
  readonly #links: Links;
  readonly #timers: Timers;
  readonly #logger: Logger;
  readonly #handlers = new Map<number, RequestHandler>();
  readonly #peers = new Map<NodeName, PeerLoad>();

  constructor({ links, timers, logger }: RequestsOptions) {
    this.#links = links;
    this.#timers = timers;
    this.#logger = logger;
  }

  /** Says who answers requests of that method. A number that is taken is a mistake in the program. */
  serve(method: number, handler: RequestHandler): void {
    assert(!this.#handlers.has(method), `requests of method ${method} are served already`);
    this.#handlers.set(method, handler);
  }

  up(peer: NodeName): void {
    this.#peers.set(peer, { served: new PeerSlots(), count: 0, bytes: 0 });
  }

  down(peer: NodeName): void {
    for (const served of this.#peers.get(peer)?.served.all() ?? []) served.cancel();
    this.#peers.delete(peer);
  }

  room(peer: NodeName, lane: LinkLane): void {
    for (const served of this.#peers.get(peer)?.served.all() ?? []) {
      if (served.lane === lane) served.wake?.();
    }
  }

  /** @throws EnokiError `ENOKI_PROTOCOL` */
  request(peer: NodeName, id: number, bytes: Uint8Array): void {
    const load = this.#peers.get(peer);
    if (!load) return;
    const head = decodeRequest(bytes);
    if (load.served.get(id)) throw malformed(`two requests with the number ${id}`);
    const served = new Served(peer, id, head);
    const handler = this.#handlers.get(head.method);
    const isFull =
      load.count >= LIMITS.requestsPerPeerMax ||
      load.bytes + head.body.length > LIMITS.requestBytesPerPeerMax;
    if (!handler || isFull) {
      const refusal = handler
        ? new EnokiError("ENOKI_QUEUE_FULL", "that node serves too many requests of this one")
        : new EnokiError("ENOKI_UNSUPPORTED", `that node knows no request ${head.method}`);
      this.#links.send(peer, head.lane, encodeError(id, refusal));
      return;
    }
    load.served.put(id, served);
    load.count += 1;
    load.bytes += head.body.length;
    this.#run(served, handler, load, head.isStream);
  }

  cancel(peer: NodeName, id: number): void {
    this.#peers.get(peer)?.served.get(id)?.cancel();
  }

  /** @throws EnokiError `ENOKI_PROTOCOL` */
  credit(peer: NodeName, id: number, bytes: Uint8Array): void {
    const sizeBytes = decodeCredit(bytes);
    const served = this.#peers.get(peer)?.served.get(id);
    if (!served) return;
    served.creditBytes += sizeBytes;
    if (served.creditBytes > WINDOW_BYTES) throw malformed("more credit than a window");
    served.wake?.();
  }

  #run(served: Served, handler: RequestHandler, load: PeerLoad, isStream: boolean): void {
    let answer: Answer | Promise<Answer>;
    try {
      answer = handler(served);
      if (answer instanceof Uint8Array && !isStream) {
        const frame = encodeFrame(REQUEST_TYPE.reply, served.id, answer);
        if (this.#links.send(served.peer, served.lane, frame)) {
          this.#forget(served, load);
          return;
        }
      }
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    void this.#finish(served, Promise.resolve(answer), load, isStream);
  }

  async #finish(
    served: Served,
    pending: Promise<Answer>,
    load: PeerLoad,
    isStream: boolean,
  ): Promise<void> {
    try {
      const answer = await pending;
      if (isStream) await this.#stream(served, answer);
      else await this.#reply(served, answer, load);
    } catch (error) {
      if (!(error instanceof EnokiError)) {
        this.#logger.error({ err: error, peer: served.peer }, "a request of a peer failed");
      }
      await this.#deliver(served, encodeError(served.id, error));
    }
    this.#forget(served, load);
  }

  async #reply(served: Served, answer: Answer, load: PeerLoad): Promise<void> {
    if (!(answer instanceof Uint8Array)) throw new TypeError("a stream that nobody asked for");
    // why: once the link was down, the number may be that of another request on the next one.
    if (served.isOver) return;
    const frame = encodeFrame(REQUEST_TYPE.reply, served.id, answer);
    if (this.#links.send(served.peer, served.lane, frame)) return;
    if (load.bytes + frame.length > LIMITS.requestBytesPerPeerMax) {
      const detail = "it was done, and there was no room for the answer";
      throw new EnokiError("ENOKI_OUTCOME_UNKNOWN", detail);
    }
    load.bytes += frame.length;
    await this.#deliver(served, frame);
    load.bytes -= frame.length;
  }

  async #stream(served: Served, answer: Answer): Promise<void> {
    const pieces = answer instanceof Uint8Array ? [answer] : answer;
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length;) {
        while (served.creditBytes === 0 && !served.isOver) await this.#woken(served);
        if (served.isOver) return;
        const end = Math.min(piece.length, at + Math.min(CHUNK_BYTES_MAX, served.creditBytes));
        served.creditBytes -= end - at;
        await this.#deliver(
          served,
          encodeFrame(REQUEST_TYPE.chunk, served.id, piece.subarray(at, end)),
        );
        at = end;
      }
      if (served.isOver) return;
    }
    await this.#deliver(served, encodeFrame(REQUEST_TYPE.end, served.id));
  }

  /** Sends, waiting for room if need be, unless it is over. */
  async #deliver(served: Served, frame: Uint8Array): Promise<void> {
    while (!served.isOver && !this.#links.send(served.peer, served.lane, frame)) {
      await this.#woken(served);
    }
  }

  /** Waits for credit or room, and for no longer than the peer itself would. */
  #woken(served: Served): Promise<void> {
    const waitMs = Math.min(served.timeoutMs, LIMITS.longestWaitMs);
    const cancelTimer = this.#timers.after(waitMs, () => served.cancel());
    return new Promise((resolve) => {
      served.wake = () => {
        served.wake = undefined;
        cancelTimer();
        resolve();
      };
    });
  }

  #forget(served: Served, load: PeerLoad): void {
    served.isOver = true;
    load.served.delete(served.id);
    load.count -= 1;
    load.bytes -= served.body.length;
  }
}
