import { join } from "node:path";

import type { FunctionName, KeygroupName } from "../core/ids.js";
import type { OperationServer } from "../functions/operations-port.js";
import type { KeygroupsOptions } from "../keygroups/keygroup-stores.js";
import { Keygroups } from "../keygroups/keygroups.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import { GrantedOperations, type KeygroupServer } from "../keygroups/granted-operations.js";
import type { Grants } from "../keygroups/grants.js";
import type { Keygroup } from "../keygroups/keygroup.js";
import { StoredGrants } from "../keygroups/stored-grants.js";
import { KeygroupOperations } from "../keygroups/operation-server.js";
import { NO_TRACER } from "../ports/tracer.js";
import { TracedOperations } from "../keygroups/traced-operations.js";
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
  /** Serves the operations of one instance of that function. */
  readonly operationsFor: (name: FunctionName) => OperationServer;
  readonly grants: Grants;
  /** A keygroup is about to be gone. */
  readonly dropped: (name: KeygroupName) => void;
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
  const find = (name: KeygroupName): Keygroup => keygroups.find(name);
  const grants = new StoredGrants({ nodeStore: shared.nodeStore, find });
  const serverOf = (name: KeygroupName): KeygroupServer =>
    new KeygroupOperations(find(name), shared.logger);
  return {
    keygroups,
    grants,
    dropped: (name) => grants.dropped(name),
    members: undefined,
    overview: undefined,
    replicas: undefined,
    replicatorOf: () => undefined,
    operationsFor: (name) => instanceOperations(name, serverOf, grants, shared),
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
  const { timers, clock, logger, tracer = NO_TRACER } = shared;
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
    mayOperate: (name, peer, needed) => members.mayOperate(name, peer, needed),
    clock,
    timers,
    logger,
    tracer,
  });
  const grants = new parts.ClusterGrants(directory);
  const serverOf = (keygroup: KeygroupName): KeygroupServer => {
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
  };
  return {
    keygroups: members,
    members,
    grants,
    // The record that says so tells it.
    dropped: () => {},
    overview: new parts.KeygroupOverview({ node, keygroups: members, directory, requests }),
    replicas: new parts.ClusterReplicas({ node, directory, keygroups: members, requests }),
    replicatorOf: (name) => members.local(name)?.replicator,
    operationsFor: (name) => instanceOperations(name, serverOf, grants, shared),
    storeFileOf: (name) => (routes.of(name).isHere ? members.get(name)?.storeFile : undefined),
  };
}

/** All operations of one instance of that function: what it may do, recorded where its calls are. */
function instanceOperations(
  name: FunctionName,
  serverOf: (name: KeygroupName) => KeygroupServer,
  grants: Grants,
  { tracer = NO_TRACER }: KeygroupsOptions,
): OperationServer {
  const keygroup = keygroupOf(name);
  const own = new GrantedOperations({ function: name, own: serverOf(keygroup), serverOf, grants });
  return tracer.isOn ? new TracedOperations({ own, tracer, keygroup, kind: "client" }) : own;
}

/** The default keygroup of a function has the function's name (contract, `kv`). */
export function keygroupOf(name: FunctionName): KeygroupName {
  return name as string as KeygroupName;
}

/** The function whose default keygroup has this name. */
export function functionOf(name: KeygroupName): FunctionName {
  return name as string as FunctionName;
}
