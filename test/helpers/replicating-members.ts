import type { NodeName } from "../../src/core/ids.js";
import type { KeygroupMembership } from "../../src/keygroups/replication/membership.js";
import type { ReplicationTiming } from "../../src/keygroups/replication/context.js";
import { Replicator } from "../../src/keygroups/replication/replicator.js";
import { ReplicationRouter } from "../../src/keygroups/replication/router.js";
import type { Keygroup } from "../../src/keygroups/keygroup.js";
import { silentLogger } from "../../src/ports/logger.js";
import type { LinkEvents, LinkLane, Links } from "../../src/ports/links.js";
import { createTurn } from "../../src/ports/turn.js";
import { openTestKeygroup, type CountingStorage } from "./memory-keygroup.js";
import { timersOfTest } from "./timers-of-test.js";

/** A message that a link has taken. */
export interface SentMessage {
  readonly from: NodeName;
  readonly to: NodeName;
  readonly lane: LinkLane;
}

/** Links within this process; `takes` may refuse messages as a full link does. */
export class TestNetwork {
  readonly listeners = new Map<NodeName, LinkEvents>();
  /** All that was taken so far. */
  readonly sent: SentMessage[] = [];
  takes: (from: NodeName, lane: LinkLane) => boolean = () => true;

  links(from: NodeName): Links {
    return {
      listen: (events) => void this.listeners.set(from, events),
      send: (to, lane, payload) => {
        const listener = this.listeners.get(to);
        if (!listener || !this.takes(from, lane)) return false;
        this.sent.push({ from, to, lane });
        setImmediate(() => listener.message(from, payload));
        return true;
      },
      backlogBytes: () => 0,
      hold: () => () => {},
      peers: () =>
        [...this.listeners.keys()]
          .filter((node) => node !== from)
          .map((node) => ({ node, roundTripMs: 1 })),
      close: () => Promise.resolve(),
    };
  }
}

/** One member with its replica, without the rest of a node. */
export interface TestMember {
  readonly keygroup: Keygroup;
  readonly replicator: Replicator;
  readonly router: ReplicationRouter;
  readonly storage: CountingStorage;
  /** What its replicator has told. */
  readonly told: string[];
}

const TIMING = { heartbeatIntervalMs: 10, heartbeatSpacingMs: 1, catchUpAfterMs: 20 };

/** The record of a keygroup of these nodes, the first of which has founded it. */
export function membershipOf(nodes: readonly NodeName[]): KeygroupMembership {
  const members = nodes.map((node, at) => ({ epoch: at + 1, node }));
  return { generation: 1, epoch: nodes.length, members, past: [] };
}

/** Opens the member that has joined at `epoch`, for as long as the test runs. */
export async function openMember(
  network: TestNetwork,
  node: NodeName,
  epoch: number,
  timing: Partial<ReplicationTiming> = TIMING,
): Promise<TestMember> {
  const turn = createTurn();
  const members = Array.from({ length: epoch }, (_, at) => at + 1);
  const { keygroup, storage } = await openTestKeygroup({
    turn,
    syncIntervalMs: 2,
    nodeName: node,
    founding: {
      generation: 1,
      epoch,
      record: { epoch, members, past: [] },
      isServing: epoch === 1,
    },
  });
  const links = network.links(node);
  const router = new ReplicationRouter(links);
  links.listen(router);
  const told: string[] = [];
  const replicator = new Replicator({
    host: keygroup,
    router,
    turn,
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    timers: timersOfTest(),
    random: () => 0.5,
    logger: silentLogger,
    timing,
    events: {
      serving: () => told.push("serving"),
      removed: () => told.push("removed"),
      mustRejoin: (from) => told.push(`mustRejoin from ${from}`),
    },
  });
  return { keygroup, replicator, router, storage, told };
}
