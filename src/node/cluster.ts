import { hostname } from "node:os";

import { Directory } from "../cluster/directory.js";
import type { NodeRecord } from "../cluster/records.js";
import type { NodeName } from "../core/ids.js";
import { ReplicationRouter } from "../keygroups/replication/router.js";
import type { LinkCredentials } from "../links/identity.js";
import { LINK_TIMING } from "../links/options.js";
import { openWebSocketLinks, type WebSocketLinks } from "../links/web-socket.js";
import { PeerRequests } from "../peers/requests.js";
import { PeerRouter } from "../peers/router.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Naming } from "../ports/naming.js";
import type { Storage } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";

/** How a node takes part in a cluster. */
export interface ClusterSettings {
  /** Connects to the naming service, which belongs to the node from then on. */
  readonly connectNaming: () => Naming;
  /** Where links are taken; port 0 = any that is free, `undefined` = this node only dials out. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** `HOST:PORT` that other nodes reach this one by, or `none`; `undefined` = where it listens. */
  readonly advertise: string | undefined;
  /** `undefined`: only on loopback. */
  readonly credentials: LinkCredentials | undefined;
}

/** What a node's part in a cluster is made from. */
export interface NodeClusterOptions {
  readonly settings: ClusterSettings;
  readonly node: NodeName;
  readonly nodeStore: Storage;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly logger: Logger;
}

/**
 * A node's part in a cluster: the directory that it follows, the links to the other nodes, and who
 * takes what they bring. Links are kept to every node that the directory knows.
 */
export class NodeCluster {
  readonly directory: Directory;
  readonly router: ReplicationRouter;
  /** Asks other nodes, and answers them. */
  readonly requests: PeerRequests;
  readonly links: WebSocketLinks;
  readonly #options: NodeClusterOptions;
  readonly #naming: Naming;
  readonly #unsubscribe: () => void;

  private constructor(options: NodeClusterOptions, naming: Naming, links: WebSocketLinks) {
    const { node, nodeStore, timers, logger } = options;
    this.#options = options;
    this.#naming = naming;
    this.links = links;
    this.router = new ReplicationRouter(links);
    this.requests = new PeerRequests({ links, timers, logger });
    this.directory = new Directory({
      node,
      naming,
      storage: nodeStore,
      timers,
      random: Math.random,
      logger,
    });
    this.#unsubscribe = this.directory.subscribe({ nodeChanged: (name) => this.#aim(name) });
  }

  /** @throws EnokiError `ENOKI_PORT_IN_USE`, `ENOKI_CREDENTIALS_REQUIRED` */
  static async open(options: NodeClusterOptions): Promise<NodeCluster> {
    const { settings, node, clock, timers, turn, logger } = options;
    const { listen, credentials } = settings;
    const links = await openWebSocketLinks({
      node,
      listen,
      credentials,
      clock,
      timers,
      turn,
      logger,
      random: Math.random,
      timing: LINK_TIMING,
    });
    const cluster = new NodeCluster(options, settings.connectNaming(), links);
    links.listen(new PeerRouter({ requests: cluster.requests, keygroups: cluster.router }));
    return cluster;
  }

  get node(): NodeName {
    return this.#options.node;
  }

  /** `HOST:PORT` of this node's links, as others are told; none = it only dials out. */
  get addresses(): readonly string[] {
    const { listen, advertise } = this.#options.settings;
    if (advertise === "none" || !listen) return [];
    if (advertise !== undefined) return [advertise];
    const { host } = listen;
    const isAny = host === "0.0.0.0" || host === "::";
    const reached = isAny ? hostname() : host.includes(":") ? `[${host}]` : host;
    return [`${reached}:${this.links.port}`];
  }

  /**
   * Says who this node is, keeps links to all whom it hears of, and resolves once the view is current
   * or naming is known to be away.
   */
  async follow(self: Omit<NodeRecord, "name" | "disk" | "addresses">): Promise<void> {
    for (const { record } of this.directory.view.nodes()) this.#aim(record.name);
    this.directory.start({ ...self, addresses: this.addresses });
    await this.directory.ready();
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    await this.links.close();
    await this.directory.close();
    await this.#naming.close();
  }

  #aim(name: NodeName): void {
    const known = this.directory.view.node(name);
    if (known) this.links.setTarget(name, known.record.addresses);
    else this.links.removeTarget(name);
  }
}
