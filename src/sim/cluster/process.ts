import type { FunctionName, KeygroupName, NodeName } from "../../core/ids.js";
import { FunctionSessions } from "../../functions/sessions.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import { serveOperations } from "../../keygroups/remote/operation-service.js";
import { RoutedOperations } from "../../keygroups/remote/routed-operations.js";
import { ReplicationRouter } from "../../keygroups/replication/router.js";
import { PeerRequests } from "../../peers/requests.js";
import { PeerRouter } from "../../peers/router.js";
import type { Clock } from "../../ports/clock.js";
import type { Links } from "../../ports/links.js";
import { silentLogger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import { SimChannel } from "./channel.js";

/** The one keygroup of a simulation, and the function that it belongs to. */
export const KEYGROUP = "data" as KeygroupName;
export const FUNCTION = "data" as FunctionName;

/** What a process of a node is made from. */
export interface SimProcessParts {
  readonly links: Links;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly isAlive: () => boolean;
  /** The keygroup, while its replica here serves. */
  readonly serving: () => Keygroup | undefined;
  /** Other nodes that hold a replica, as far as this one knows. */
  readonly members: () => readonly NodeName[];
}

/** One run of a node's daemon: what speaks with other nodes, and what serves functions. */
export class SimProcess {
  readonly isAlive: () => boolean;
  readonly router: ReplicationRouter;
  readonly requests: PeerRequests;
  /** Sessions of calls, as the gateway uses them. */
  readonly sessions: FunctionSessions;
  readonly #parts: SimProcessParts;
  #channel: SimChannel | undefined;

  constructor(parts: SimProcessParts) {
    const { links, timers, clock, serving } = parts;
    this.#parts = parts;
    this.isAlive = parts.isAlive;
    this.router = new ReplicationRouter(links);
    this.requests = new PeerRequests({ links, timers, logger: silentLogger });
    this.sessions = new FunctionSessions({
      keygroupOf: serving,
      isShownElsewhere: () => false,
      clock,
    });
  }

  /** Begins to serve other nodes, and to speak with them. */
  listen(): void {
    const { links, serving, clock, timers } = this.#parts;
    serveOperations({
      requests: this.requests,
      serving,
      mayOperate: () => true,
      clock,
      timers,
      logger: silentLogger,
    });
    links.listen(new PeerRouter({ requests: this.requests, keygroups: this.router }));
  }

  /** Where a function on this node does its operations: here, or at a node that has the data. */
  get channel(): SimChannel {
    const { serving, members, clock } = this.#parts;
    this.#channel ??= new SimChannel(
      new RoutedOperations({
        keygroup: KEYGROUP,
        serving,
        members: () =>
          [...members()].sort((a, b) => this.router.roundTripMs(a) - this.router.roundTripMs(b)),
        requests: this.requests,
        clock,
        logger: silentLogger,
      }),
    );
    return this.#channel;
  }
}
