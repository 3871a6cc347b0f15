import { randomBytes } from "node:crypto";

import { isLoopback } from "../base/loopback.js";
import { assert } from "../base/assert.js";
import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { LinkEvents, LinkLane, LinkPeer, Links, LinkTargets } from "../ports/links.js";
import { Acceptor } from "./acceptor.js";
import { Refusal } from "./handshake.js";
import { checkMessageSize } from "../ports/message-size.js";
import { checkCredentials } from "./identity.js";
import { OnceLog } from "./once-log.js";
import type { LinkOptions } from "./options.js";
import { Peer, type PeerOwner } from "./peer.js";
import { CLOSE } from "./wire.js";

/** What went over the open link to one peer. */
export interface LinkTraffic {
  /** Writes to the socket: each takes all that waits, up to 64 KiB. */
  readonly batchesTotal: number;
  readonly bytesTotal: number;
}

/** Links over WebSockets: between nodes on the network, by mutual TLS. */
export interface WebSocketLinks extends Links, LinkTargets {
  /** Where this node listens; `undefined` if it only dials out. */
  readonly port: number | undefined;
  /** What was sent on the open link to a peer. */
  traffic(peer: NodeName): LinkTraffic | undefined;
}

/**
 * Opens the links of a node. It dials its targets once someone listens to its events.
 * @throws EnokiError `ENOKI_PORT_IN_USE`, `ENOKI_INVALID_CONFIG` for a certificate that does not
 * prove this node's name, and `ENOKI_CREDENTIALS_REQUIRED` beyond loopback without one
 */
export async function openWebSocketLinks(options: LinkOptions): Promise<WebSocketLinks> {
  const { listen, credentials, logger, node, clock } = options;
  if (credentials) checkCredentials(credentials, node, clock.nowMs());
  else {
    if (listen && !isLoopback(listen.host)) {
      throw new EnokiError(
        "ENOKI_CREDENTIALS_REQUIRED",
        `links on ${listen.host} reach beyond this machine and need --link-cert, --link-key and --link-ca`,
      );
    }
    logger.warn({}, "links have no certificate: only loopback, and names are claimed, not proven");
  }
  const links = new PeerLinks(options);
  if (listen) await links.accept(listen.host, listen.port);
  return links;
}

const NOT_LISTENING: LinkEvents = { up: () => {}, down: () => {}, message: () => {} };

class PeerLinks implements WebSocketLinks {
  readonly #options: LinkOptions;
  readonly #peers = new Map<NodeName, Peer>();
  readonly #log: OnceLog;
  readonly #process = randomBytes(12).toString("hex");
  readonly #owner: PeerOwner;
  #attempt = 0;
  #acceptor: Acceptor | undefined;
  #events: LinkEvents | undefined;
  #targets = new Map<NodeName, readonly string[]>();
  #isClosed = false;

  port: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#log = new OnceLog(options.logger);
    const events = (): LinkEvents => this.#events ?? NOT_LISTENING;
    this.#owner = {
      options,
      log: this.#log,
      process: this.#process,
      nextAttempt: () => (this.#attempt += 1),
      up: (node) => events().up(node),
      down: (node) => events().down(node),
      message: (node, payload) => events().message(node, payload),
      room: (node, lane) => events().room?.(node, lane),
      forgotten: (node) => void this.#peers.delete(node),
    };
  }

  async accept(host: string, port: number): Promise<void> {
    const attempt = (): number => this.#attempt;
    this.#acceptor = new Acceptor(
      this.#options,
      {
        process: this.#process,
        get attempt() {
          return attempt();
        },
        admit: (hello, cut) => {
          if (this.#isClosed || !this.#events) throw new Refusal(CLOSE.leaving, "not ready");
          this.#peer(hello.node).admit(hello, cut);
        },
        adopt: (hello, link) => this.#peer(hello.node).adopt(hello, link),
        dropped: (node, cut) => this.#peers.get(node)?.dropped(cut),
      },
      this.#log,
    );
    this.port = await this.#acceptor.listen(host, port);
  }

  listen(events: LinkEvents): void {
    assert(!this.#events, "links have one listener");
    this.#events = events;
    for (const [node, addresses] of this.#targets) this.#peer(node).setAddresses(addresses);
  }

  setTarget(node: NodeName, addresses: readonly string[]): void {
    const known = this.#targets.get(node);
    // why: a record that is read again must not disturb a dial that is under way.
    if (known && known.join() === addresses.join()) return;
    if (node === this.#options.node || this.#isClosed) return;
    this.#targets.set(node, [...addresses]);
    if (this.#events) this.#peer(node).setAddresses(addresses);
  }

  removeTarget(node: NodeName): void {
    this.#targets.delete(node);
    this.#peers.get(node)?.setAddresses(undefined);
  }

  send(to: NodeName, lane: LinkLane, payload: Uint8Array): boolean {
    checkMessageSize(payload);
    return this.#peers.get(to)?.link?.send(lane, payload) ?? false;
  }

  backlogBytes(to: NodeName, lane: LinkLane): number {
    return this.#peers.get(to)?.link?.backlogBytes(lane) ?? 0;
  }

  hold(peer: NodeName): () => void {
    return this.#peers.get(peer)?.link?.hold() ?? (() => {});
  }

  peers(): readonly LinkPeer[] {
    const up: LinkPeer[] = [];
    for (const [node, { link }] of this.#peers) {
      if (link) up.push({ node, roundTripMs: link.roundTripMs });
    }
    return up;
  }

  traffic(peer: NodeName): LinkTraffic | undefined {
    const link = this.#peers.get(peer)?.link;
    return link && { batchesTotal: link.batchesTotal, bytesTotal: link.bytesTotal };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const peer of this.#peers.values()) {
      peer.close(new Refusal(CLOSE.leaving, "the node ends"));
    }
    await this.#acceptor?.close();
  }

  #peer(node: NodeName): Peer {
    let peer = this.#peers.get(node);
    if (!peer) {
      peer = new Peer(node, this.#owner);
      this.#peers.set(node, peer);
    }
    return peer;
  }
}
