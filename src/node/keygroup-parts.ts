import { join } from "node:path";

import type { FunctionName, KeygroupName } from "../core/ids.js";
import type { OperationServer } from "../functions/operations-port.js";
import type { KeygroupsOptions } from "../keygroups/keygroup-stores.js";
import { Keygroups } from "../keygroups/keygroups.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import { KeygroupOperations } from "../keygroups/operation-server.js";
import type { KeygroupOverview } from "../keygroups/overview/overview.js";
import type { ReplicasFacade } from "../keygroups/replicas-facade.js";
import type { Replicator } from "../keygroups/replication/replicator.js";
import type { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
import type { Routes } from "../keygroups/remote/routes.js";
import type { NodeCluster } from "./cluster.js";
import type * as ClusterParts from "./cluster-parts.js";
import { writeLines } from "./exports.js";

/** The keygroups of a node, and how its functions reach them. */
export interface KeygroupParts {
  readonly keygroups: NodeKeygroups;
  /** The same, where the node is part of a cluster. */
  readonly members: ClusterKeygroups | undefined;
  /** Keygroups over all their members; `undefined`: the node stands alone. */
  readonly overview: KeygroupOverview | undefined;
  /** `undefined`: the node stands alone. */
  readonly replicas: ReplicasFacade | undefined;
  /** Who replicates a keygroup; `undefined` where nobody does. */
  readonly replicatorOf: (name: KeygroupName) => Replicator | undefined;
  /** Serves the operations of one instance. */
  readonly operationsFor: (name: KeygroupName) => OperationServer;
  /** The file that instances may read; `undefined` = they ask. */
  readonly storeFileOf: (name: KeygroupName) => string | undefined;
}

/** What keygroups of a cluster ask of the functions here. */
export interface FunctionsOfKeygroups {
  /**
   * Operations of its functions take place elsewhere than before. Resolves when no instance is left
   * that may read the file it was given.
   */
  readonly turned: (name: KeygroupName) => Promise<void>;
  /** A function of that name is deployed here. */
  readonly isInUse: (name: KeygroupName) => boolean;
}

/** The keygroups of a node that stands alone. */
export function aloneKeygroups(shared: KeygroupsOptions): KeygroupParts {
  const keygroups = new Keygroups(shared);
  return {
    keygroups,
    members: undefined,
    overview: undefined,
    replicas: undefined,
    replicatorOf: () => undefined,
    operationsFor: (name) => new KeygroupOperations(keygroups.find(name), shared.logger),
    storeFileOf: (name) => keygroups.find(name).storeFile,
  };
}

/** The keygroups of a node in a cluster. */
export function clusterKeygroups(
  parts: typeof ClusterParts,
  cluster: NodeCluster,
  shared: KeygroupsOptions,
  dataDir: string,
  { turned, isInUse }: FunctionsOfKeygroups,
): KeygroupParts {
  const { directory, router, requests, node } = cluster;
  const { timers, clock, logger } = shared;
  /** Of each keygroup that has turned, when the instances before that have ended. */
  const readers = new Map<KeygroupName, Promise<void>>();
  const members: ClusterKeygroups = new parts.ClusterKeygroups({
    ...shared,
    directory,
    router,
    requests,
    random: Math.random,
    writeExport: (name, lines) => writeLines(join(dataDir, "exports"), name, lines),
    servingChanged: (name) => routes.of(name).look(),
    isInUse,
    readersGone: async (name) => readers.get(name),
    hold: (name) => routes.of(name).hold(),
  });
  const routes: Routes = new parts.Routes({
    serving: (name) => members.get(name),
    isArriving: (name) => members.isArriving(name),
    catchUpWith: (name, at) => members.catchUpWith(name, at),
    turned: (name) => void readers.set(name, turned(name)),
    timers,
  });
  parts.serveOperations({
    requests,
    serving: (name) => members.get(name),
    held: (name) => routes.of(name).held,
    mayAsk: (name, peer) => members.mayAsk(name, peer),
    clock,
    timers,
    logger,
  });
  return {
    keygroups: members,
    members,
    overview: new parts.KeygroupOverview({ node, keygroups: members, directory, requests }),
    replicas: new parts.ClusterReplicas({ node, directory, keygroups: members, requests }),
    replicatorOf: (name) => members.local(name)?.replicator,
    operationsFor: (keygroup) => {
      const route = routes.of(keygroup);
      return new parts.RoutedOperations({
        keygroup,
        serving: () => route.here,
        members: (seen) => members.serversOf(keygroup, seen),
        requests,
        moving: { route, timers },
        clock,
        logger,
      });
    },
    storeFileOf: (name) => (routes.of(name).isHere ? members.get(name)?.storeFile : undefined),
  };
}

/** The default keygroup of a function has the function's name (contract, `kv`). */
export function keygroupOf(name: FunctionName): KeygroupName {
  return name as string as KeygroupName;
}

/** The function whose default keygroup has this name. */
export function functionOf(name: KeygroupName): FunctionName {
  return name as string as FunctionName;
}
