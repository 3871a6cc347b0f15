import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import { SlotTable } from "../channel/slot-table.js";
import type { LinkEvents, LinkLane, Links } from "../ports/links.js";
import { checkMessageSize } from "../ports/message-size.js";
import type { Timers } from "../ports/timers.js";
import { StreamCall, WholeCall, type Call } from "./calls.js";
import {
  decodeError,
  decodeFrame,
  encodeCredit,
  encodeFrame,
  encodeRequest,
  malformed,
  REQUEST_TYPE,
} from "./request-frames.js";
import { ServedRequests, type RequestHandler, type RequestsOptions } from "./served-requests.js";
import { WaitingRequests } from "./waiting-requests.js";

/** How a request is made. */
export interface RequestOptions {
  /**
   * The longest wait for the answer, with that for room on a link that is busy; of a stream, for each of
   * its pieces.
   */
  readonly timeoutMs: number;
  /** The time begins anew when the request leaves, if it had to wait for room: for what has no deadline. */
  readonly isTimedFromLeaving?: boolean;
  /** Lane of the request and of its answer. */
  readonly lane?: LinkLane;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal;
}

/** What a request fails with whose time was up before the peer answered. */
export class PeerSilentError extends EnokiError {
  constructor(peer: NodeName, timeoutMs: number) {
    super("ENOKI_OUTCOME_UNKNOWN", `${peer} did not answer within ${timeoutMs} ms`);
  }
}

/** What is asked of one peer: a call under way, with what ends its waits. */
interface Entry {
  readonly call: Call;
  readonly release: () => void;
}

/** What is asked of one peer. */
class Asked {
  readonly calls = new SlotTable<Entry>();
  readonly waiting = new WaitingRequests();
}

/**
 * Requests to other nodes and their answers, over links. A request is sent at most once, in order
 * with the others of its lane; on a link that is busy it waits for room. It fails
 * with `ENOKI_PEER_UNREACHABLE` if it was not sent, with `ENOKI_OUTCOME_UNKNOWN` if it was and the
 * link broke or time was up (a {@link PeerSilentError}), and else with whatever the other node says.
 */
export class PeerRequests implements LinkEvents {
  readonly #links: Links;
  readonly #timers: Timers;
  readonly #served: ServedRequests;
  readonly #peers = new Map<NodeName, Asked>();

  constructor({ links, timers, logger }: RequestsOptions) {
    this.#links = links;
    this.#timers = timers;
    this.#served = new ServedRequests({ links, timers, logger });
  }

  /** Says who answers requests of that method, a number below 65,536. */
  serve(method: number, handler: RequestHandler): void {
    this.#served.serve(method, handler);
  }

  /** Asks another node, and resolves with its answer. */
  request(
    to: NodeName,
    method: number,
    body: Uint8Array,
    options: RequestOptions,
  ): Promise<Uint8Array> {
    let cancelTimer = (): void => {};
    const startWaiting = (): void => {
      cancelTimer();
      cancelTimer = this.#timers.after(options.timeoutMs, () => this.#expire(to, id, options));
    };
    const stopWaiting = (): void => cancelTimer();
    const call = new WholeCall(options.isTimedFromLeaving === true ? startWaiting : () => {});
    let id = 0;
    try {
      id = this.#start(to, method, body, options, call, false);
      startWaiting();
      // why both: the promise is the caller's, and this one must not be unhandled.
      void call.promise.then(stopWaiting, stopWaiting);
    } catch (error) {
      call.fail(error);
    }
    return call.promise;
  }

  /**
   * Asks another node for a stream. Pieces come no faster than they are read, and a reader that
   * stops early ends the stream at its source.
   */
  stream(
    to: NodeName,
    method: number,
    body: Uint8Array,
    options: RequestOptions,
  ): AsyncIterableIterator<Uint8Array> {
    let id = 0;
    const asked = { lane: "bulk", ...options } as const;
    const call = new StreamCall({
      grant: (sizeBytes) => this.#links.send(to, "control", encodeCredit(id, sizeBytes)),
      abandon: () => void this.#abandon(to, id, asked),
      startWaiting: () =>
        this.#timers.after(options.timeoutMs, () => this.#expire(to, id, options)),
    });
    try {
      id = this.#start(to, method, body, asked, call, true);
    } catch (error) {
      call.fail(error);
    }
    return call;
  }

  up(peer: NodeName): void {
    this.#peers.set(peer, new Asked());
    this.#served.up(peer);
  }

  down(peer: NodeName): void {
    const asked = this.#peers.get(peer);
    this.#peers.delete(peer);
    this.#served.down(peer);
    for (const id of asked?.waiting.takeAll() ?? []) {
      const entry = asked?.calls.take(id);
      entry?.release();
      const detail = `the link to ${peer} broke before there was room on it`;
      entry?.call.fail(new EnokiError("ENOKI_PEER_UNREACHABLE", detail));
    }
    for (const { call, release } of asked?.calls.takeAll() ?? []) {
      release();
      const detail = `the link to ${peer} broke before it answered`;
      call.fail(new EnokiError("ENOKI_OUTCOME_UNKNOWN", detail));
    }
  }

  room(peer: NodeName, lane: LinkLane): void {
    const asked = this.#peers.get(peer);
    const left = asked?.waiting.drain(lane, (frame) => this.#links.send(peer, lane, frame)) ?? [];
    for (const id of left) asked?.calls.get(id)?.call.sent();
    this.#served.room(peer, lane);
  }

  /** @throws EnokiError `ENOKI_PROTOCOL` for what no peer may send */
  message(peer: NodeName, payload: Uint8Array): void {
    const { type, id, body } = decodeFrame(payload);
    if (type === REQUEST_TYPE.request) this.#served.request(peer, id, body);
    else if (type === REQUEST_TYPE.cancel) this.#served.cancel(peer, id);
    else if (type === REQUEST_TYPE.credit) this.#served.credit(peer, id, body);
    else this.#answered(peer, type, id, body);
  }

  #answered(peer: NodeName, type: number, id: number, body: Uint8Array): void {
    const calls = this.#peers.get(peer)?.calls;
    // An answer to what was given up is late, not wrong.
    const entry = calls?.get(id);
    if (type === REQUEST_TYPE.chunk) {
      entry?.call.chunk(body);
      return;
    }
    if (type < REQUEST_TYPE.reply || type > REQUEST_TYPE.credit) {
      throw malformed(`a message about a request of unknown type ${type}`);
    }
    if (!entry) return;
    if (type === REQUEST_TYPE.reply) entry.call.reply(body);
    else if (type === REQUEST_TYPE.end) entry.call.end();
    else entry.call.fail(decodeError(body));
    calls?.take(id);
    entry.release();
  }

  #start(
    to: NodeName,
    method: number,
    body: Uint8Array,
    options: RequestOptions,
    call: Call,
    isStream: boolean,
  ): number {
    const { timeoutMs, lane = "control", signal } = options;
    signal?.throwIfAborted();
    const asked = this.#peers.get(to);
    if (!asked) throw new EnokiError("ENOKI_PEER_UNREACHABLE", `there is no link to ${to}`);
    const { calls, waiting } = asked;
    if (calls.size >= LIMITS.requestsPerPeerMax) {
      throw new EnokiError("ENOKI_QUEUE_FULL", `too many requests to ${to} are under way`);
    }
    let id = 0;
    const onAbort = (): void => {
      this.#abandon(to, id, options);
      call.fail(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const release = (): void => signal?.removeEventListener("abort", onAbort);
    id = calls.add({ call, release });
    const frame = encodeRequest(id, { method, lane, timeoutMs, isStream }, body);
    try {
      // Nothing overtakes what waits already, and what waits is something that the link will take.
      const isInLine = waiting.has(lane);
      if (isInLine) checkMessageSize(frame);
      if (!isInLine && this.#links.send(to, lane, frame)) return id;
      if (waiting.add(lane, id, frame)) return id;
    } catch (error) {
      this.#take(to, id);
      throw error;
    }
    this.#take(to, id);
    throw noRoom(to);
  }

  #expire(to: NodeName, id: number, options: RequestOptions): void {
    const { timeoutMs } = options;
    const { entry, hasLeft } = this.#abandon(to, id, options);
    entry?.call.fail(hasLeft ? new PeerSilentError(to, timeoutMs) : noRoom(to));
  }

  /**
   * Ends a call here, and tells the peer if the request has left, on the same lane, so that it comes
   * behind it.
   */
  #abandon(
    to: NodeName,
    id: number,
    { lane = "control" }: RequestOptions,
  ): { readonly entry: Entry | undefined; readonly hasLeft: boolean } {
    const entry = this.#take(to, id);
    const hasLeft = this.#peers.get(to)?.waiting.remove(lane, id) !== true;
    if (entry && hasLeft) this.#links.send(to, lane, encodeFrame(REQUEST_TYPE.cancel, id));
    return { entry, hasLeft };
  }

  #take(to: NodeName, id: number): Entry | undefined {
    const entry = this.#peers.get(to)?.calls.take(id);
    entry?.release();
    return entry;
  }
}

function noRoom(to: NodeName): EnokiError {
  return new EnokiError("ENOKI_PEER_UNREACHABLE", `too much waits to be sent to ${to}`);
}
