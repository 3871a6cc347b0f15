import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { LinkEvents, LinkLane, Links } from "../../ports/links.js";

/** Who takes the messages of one keygroup. */
export interface KeygroupEndpoint {
  up(peer: NodeName): void;
  down(peer: NodeName): void;
  /** @throws EnokiError `ENOKI_PROTOCOL` for what the protocol does not allow */
  message(peer: NodeName, message: Uint8Array): void;
}

/**
 * One per node: brings what links carry to the replicator of its keygroup, and back. A message is
 * the keygroup's name, with its length in one byte before it, and what the replicas say.
 */
export class ReplicationRouter implements LinkEvents {
  readonly #links: Links;
  readonly #endpoints = new Map<string, KeygroupEndpoint>();
  /** Messages for keygroups that are not here. */
  unknownTotal = 0;
  /** Messages that the protocol does not allow. */
  malformedTotal = 0;

  constructor(links: Links) {
    this.#links = links;
  }

  /** Brings messages of that keygroup to `endpoint` until the returned function is called. */
  add(name: KeygroupName, endpoint: KeygroupEndpoint): () => void {
    this.#endpoints.set(name, endpoint);
    for (const { node } of this.#links.peers()) endpoint.up(node);
    return () => {
      if (this.#endpoints.get(name) === endpoint) this.#endpoints.delete(name);
    };
  }

  /** See `Links.send`. */
  send(name: KeygroupName, to: NodeName, lane: LinkLane, message: Uint8Array): boolean {
    return this.#links.send(to, lane, withName(name, message));
  }

  /** Bytes for that node on that lane that have not left yet, of all keygroups. */
  backlogBytes(to: NodeName, lane: LinkLane): number {
    return this.#links.backlogBytes(to, lane);
  }

  /** How far a linked node is away; Infinity while nobody knows. */
  roundTripMs(node: NodeName): number {
    for (const peer of this.#links.peers()) {
      if (peer.node === node) return peer.roundTripMs ?? Infinity;
    }
    return Infinity;
  }

  up(peer: NodeName): void {
    for (const endpoint of this.#endpoints.values()) endpoint.up(peer);
  }

  down(peer: NodeName): void {
    for (const endpoint of this.#endpoints.values()) endpoint.down(peer);
  }

  /** @throws EnokiError `ENOKI_PROTOCOL` for what the protocol does not allow: the link ends */
  message(peer: NodeName, payload: Uint8Array): void {
    const sizeBytes = payload[0] ?? 0;
    try {
      if (sizeBytes === 0) throw new EnokiError("ENOKI_PROTOCOL", "a message names no keygroup");
      const endpoint = this.#endpoints.get(asciiText(payload.subarray(1, 1 + sizeBytes)));
      if (endpoint) endpoint.message(peer, payload.subarray(1 + sizeBytes));
      else this.unknownTotal += 1;
    } catch (error) {
      if (error instanceof EnokiError) this.malformedTotal += 1;
      throw error;
    }
  }
}

/** Names of keygroups are letters, digits and hyphens. */
function asciiText(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function withName(name: KeygroupName, message: Uint8Array): Uint8Array {
  const payload = new Uint8Array(1 + name.length + message.length);
  payload[0] = name.length;
  for (let i = 0; i < name.length; i++) payload[1 + i] = name.charCodeAt(i);
  payload.set(message, 1 + name.length);
  return payload;
}
