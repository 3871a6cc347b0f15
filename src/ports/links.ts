import type { NodeName } from "../core/ids.js";

/**
 * How urgent a message is. Each lane of a link is in order; between lanes the more urgent one goes
 * first, so that a heartbeat or a small update never waits for a large chunk. No lane starves.
 * `control`: heartbeats, requests and replies · `update`: commits · `bulk`: catch-ups and code.
 */
export type LinkLane = "control" | "update" | "bulk";

/** The node at the other end of an open link, as its certificate names it. */
export interface LinkPeer {
  readonly node: NodeName;
  /** Smoothed time of a round trip, measured on this node's monotonic clock; `undefined` = not yet. */
  readonly roundTripMs: number | undefined;
}

/** What a link tells whoever uses it. Called in the order in which it happened. */
export interface LinkEvents {
  /** A link is open. There is at most one per peer; a newer one comes after `down` of the older. */
  up(peer: NodeName): void;
  /** The link is gone, and with it every message that was not delivered yet. */
  down(peer: NodeName): void;
  /**
   * One whole message of a peer whose link is up. The bytes are the receiver's to keep. What this
   * throws is logged and closes the link: the peer sent what nobody understands.
   */
  message(peer: NodeName, payload: Uint8Array): void;
  /** A lane that refused a message has room again: at least half of its backlog has left. */
  room?(peer: NodeName, lane: LinkLane): void;
}

/**
 * Links to other nodes: whole messages, at most once, in order within a lane while a link lives.
 * A link knows its peer for certain (mutual TLS, or loopback); what the peer may speak of is for the
 * receiver to decide. Memory per peer is bounded whatever the peer does.
 */
export interface Links {
  /** Says who listens. Called once; no link is up before. */
  listen(events: LinkEvents): void;
  /**
   * Hands a message over, whose bytes must not change any more. False, with nothing sent, if there
   * is no link to that node or its backlog is full: the sender then drops what it wanted to say, for
   * catch-up repairs it, or waits for {@link LinkEvents.room}, or fails.
   * @throws EnokiError `ENOKI_VALUE_TOO_LARGE` above `LIMITS.linkMessageBytesMax`
   */
  send(to: NodeName, lane: LinkLane, payload: Uint8Array): boolean;
  /** Bytes handed over for that node on that lane that have not left yet. */
  backlogBytes(to: NodeName, lane: LinkLane): number;
  /**
   * Reads nothing more from that peer until every function that was returned for it has been called:
   * the peer's backlog grows instead of memory here. What had been read already still comes. The
   * link stays up, and ends the hold when it goes down.
   */
  hold(peer: NodeName): () => void;
  /** All peers whose link is up. */
  peers(): readonly LinkPeer[];
  /** Closes all links, telling `down` of each, and opens none again. */
  close(): Promise<void>;
}

/** Where other nodes can be reached: fed by whoever follows the naming service. */
export interface LinkTargets {
  /**
   * Keeps a link to that node from now on. `addresses` are `HOST:PORT`, tried in turn; with none,
   * the node can only dial this one. Replaces what was said of that node before.
   */
  setTarget(node: NodeName, addresses: readonly string[]): void;
  /** Dials that node no longer. An open link stays: naming may be wrong about who is gone. */
  removeTarget(node: NodeName): void;
}
