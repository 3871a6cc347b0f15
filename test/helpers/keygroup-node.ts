import { Directory } from "../../src/cluster/directory.js";
import { FrameReader, FrameWriter } from "../../src/channel/frames.js";
import { parseNodeName, type KeygroupName } from "../../src/core/ids.js";
import type { Asker } from "../../src/keygroups/asker.js";
import { ClusterKeygroups } from "../../src/keygroups/members/cluster-keygroups.js";
import { KeygroupOverview } from "../../src/keygroups/overview/overview.js";
import { ClusterReplicas } from "../../src/keygroups/members/cluster-replicas.js";
import { serveOperations } from "../../src/keygroups/remote/operation-service.js";
import { RoutedOperations } from "../../src/keygroups/remote/routed-operations.js";
import { Routes } from "../../src/keygroups/remote/routes.js";
import { ReplicationRouter } from "../../src/keygroups/replication/router.js";
import type { MemoryLinkHub } from "../../src/links/memory.js";
import type { MemoryNamingService } from "../../src/naming/memory.js";
import { PeerRequests } from "../../src/peers/requests.js";
import { PeerRouter } from "../../src/peers/router.js";
import { systemClock } from "../../src/ports/clock.js";
import { silentLogger } from "../../src/ports/logger.js";
import type { StorageDriver } from "../../src/ports/storage.js";
import { systemTimers } from "../../src/ports/timers.js";
import { createTurn } from "../../src/ports/turn.js";
import { createMemoryDriver } from "../../src/storage/memory.js";
import type { TestTime } from "./fast-time.js";

/** The keygroups of one node of a cluster, without the rest of the node. */
export interface KeygroupNode {
  readonly keygroups: ClusterKeygroups;
  readonly replicas: ClusterReplicas;
  readonly directory: Directory;
  readonly overview: KeygroupOverview;
  /** What was exported when replicas were given up: lines by file. */
  readonly exports: Map<string, string[]>;
  /** The answer to an operation of a function of that name on this node, for a call if one asks. */
  ask(keygroup: KeygroupName, encode: (guest: FrameWriter) => void, asker?: Asker): Promise<Buffer>;
  /** The operations of one instance of a function of that name on this node. */
  operations(keygroup: KeygroupName): RoutedOperations;
  close(): Promise<void>;
}

/** What a node is made from; its disk outlives it. */
export interface KeygroupNodeParts {
  readonly name: string;
  readonly hub: MemoryLinkHub;
  readonly service: MemoryNamingService;
  readonly disk?: StorageDriver;
  /** The machine's own unless given. */
  readonly time?: TestTime;
}

/** Opens a node's keygroups over links in memory; connecting them is the test's part. */
export async function openKeygroupNode(parts: KeygroupNodeParts): Promise<KeygroupNode> {
  const node = parseNodeName(parts.name);
  const driver = parts.disk ?? createMemoryDriver();
  const nodeStore = await driver.open("node");
  const naming = parts.service.connect();
  const { timers, clock } = parts.time ?? { timers: systemTimers, clock: systemClock };
  const [logger, random] = [silentLogger, Math.random];
  const links = parts.hub.join(node);
  const router = new ReplicationRouter(links);
  const requests = new PeerRequests({ links, timers, logger });
  links.listen(new PeerRouter({ requests, keygroups: router }));
  const directory = new Directory({ node, naming, storage: nodeStore, timers, random, logger });
  const exports = new Map<string, string[]>();
  const keygroups: ClusterKeygroups = new ClusterKeygroups({
    driver,
    storageKind: "memory",
    nodeName: node,
    nodeStore,
    resumes: true,
    defaults: { policy: "lww", durability: "relaxed", ttlMs: 0 },
    turn: createTurn(),
    timers,
    clock,
    logger,
    syncIntervalMs: 5,
    encodeSends: () => ({ writes: [], committed: () => {} }),
    dropped: () => {},
    directory,
    router,
    requests,
    random,
    writeExport: async (name, lines) => {
      const all = [...lines];
      if (all.length === 0) return undefined;
      exports.set(name, all);
      return name;
    },
    servingChanged: (name) => routes.of(name).look(),
    isInUse: () => false,
    readersGone: async () => {},
    hold: (name) => routes.of(name).hold(),
  });
  const routes: Routes = new Routes({
    serving: (name) => keygroups.get(name),
    isArriving: (name) => keygroups.isArriving(name),
    catchUpWith: (name, other) => keygroups.catchUpWith(name, other),
    turned: () => {},
    timers,
  });
  const replicas = new ClusterReplicas({ node, directory, keygroups, requests });
  serveOperations({
    requests,
    serving: (name) => keygroups.get(name),
    held: (name) => routes.of(name).held,
    mayOperate: (name, peer, needed) => keygroups.mayOperate(name, peer, needed),
    clock,
    timers,
    logger,
  });
  const overview = new KeygroupOverview({ node, keygroups, directory, requests });
  const operationsOf = (keygroup: KeygroupName): RoutedOperations => {
    const route = routes.of(keygroup);
    return new RoutedOperations({
      keygroup,
      serving: () => route.here,
      members: (seen) => keygroups.serversOf(keygroup, seen),
      requests,
      moving: { route, timers },
      clock,
      logger,
    });
  };
  directory.start({ addresses: [], version: "0", platform: "test", labels: {}, storage: "memory" });
  await directory.ready();
  await keygroups.open();
  return {
    keygroups,
    replicas,
    directory,
    overview,
    exports,
    operations: operationsOf,
    ask: (keygroup, encode, asker) => {
      const operations = operationsOf(keygroup);
      return new Promise((resolve) => {
        const back = framesTo((_type, _id, payload) => resolve(payload));
        encode(framesTo((_type, id, payload) => operations.serve(back, id, asker, payload)));
      });
    },
    close: async () => {
      await keygroups.close();
      await links.close();
      await directory.close();
      await naming.close();
      await nodeStore.close();
    },
  };
}

/** A writer whose frames are read at once. */
export function framesTo(
  onFrame: (type: number, id: number, payload: Buffer) => void,
): FrameWriter {
  const reader = new FrameReader();
  const write = (chunk: Uint8Array): void => reader.push(Buffer.from(chunk), onFrame);
  return new FrameWriter({ write, writableLength: 0 }, { schedule: (flush) => flush() });
}
