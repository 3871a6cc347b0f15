import { LIMITS } from "../core/limits.js";
import type { LinkLane } from "../ports/links.js";

interface WaitingRequest {
  readonly id: number;
  readonly frame: Uint8Array;
}

/**
 * Requests to one peer whose lane is full: they leave in the order in which they came, once there is
 * room. Their bytes never exceed `LIMITS.requestsWaitingBytesPerPeerMax`.
 */
export class WaitingRequests {
  readonly #lanes = new Map<LinkLane, WaitingRequest[]>();
  #sizeBytes = 0;

  /** True if a request on that lane has to stand in line. */
  has(lane: LinkLane): boolean {
    return this.#lanes.has(lane);
  }

  /** Puts a request at the end of the line; false if too much waits already. */
  add(lane: LinkLane, id: number, frame: Uint8Array): boolean {
    if (this.#sizeBytes + frame.length > LIMITS.requestsWaitingBytesPerPeerMax) return false;
    this.#sizeBytes += frame.length;
    const line = this.#lanes.get(lane);
    if (line) line.push({ id, frame });
    else this.#lanes.set(lane, [{ id, frame }]);
    return true;
  }

  /** Takes a request out of the line that nobody wants any more; false if it has left already. */
  remove(lane: LinkLane, id: number): boolean {
    const line = this.#lanes.get(lane) ?? [];
    const index = line.findIndex((request) => request.id === id);
    if (index === -1) return false;
    const [{ frame }] = line.splice(index, 1) as [WaitingRequest];
    this.#sizeBytes -= frame.length;
    if (line.length === 0) this.#lanes.delete(lane);
    return true;
  }

  /** Sends from the front of the line until `send` refuses, and tells which requests have left. */
  drain(lane: LinkLane, send: (frame: Uint8Array) => boolean): number[] {
    const line = this.#lanes.get(lane) ?? [];
    const refused = line.findIndex(({ frame }) => !send(frame));
    const left = line.splice(0, refused === -1 ? line.length : refused);
    for (const { frame } of left) this.#sizeBytes -= frame.length;
    if (line.length === 0) this.#lanes.delete(lane);
    return left.map(({ id }) => id);
  }

  /** Takes everything out and tells which requests will not leave. */
  takeAll(): number[] {
    const ids = [...this.#lanes.values()].flat().map(({ id }) => id);
    this.#lanes.clear();
    this.#sizeBytes = 0;
    return ids;
  }
}
