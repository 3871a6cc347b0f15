import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Deployment } from "../deployment/deployment.js";
import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";
import { createArtefactStore, type ArtefactStore } from "../functions/artefacts.js";
import { thisTarget } from "../functions/build-target.js";
import { createBuildProcess } from "../functions/build/build-process.js";
import { Deployer } from "../functions/deployer.js";
import { Functions } from "../functions/functions.js";
import { createInvocationIds } from "../functions/invocation-ids.js";
import { Outbox } from "../functions/outbox/outbox.js";
import { FunctionRegistry } from "../functions/registry.js";
import { FunctionSessions } from "../functions/sessions.js";
import type { KeygroupsOptions } from "../keygroups/keygroup-stores.js";
import type { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
import { Keygroups } from "../keygroups/keygroups.js";
import type { KeygroupOverview } from "../keygroups/overview/overview.js";
import type { Replicator } from "../keygroups/replication/replicator.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import { KeygroupOperations } from "../keygroups/operation-server.js";
import { systemClock } from "../ports/clock.js";
import type { Launcher } from "../ports/runtime.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import { systemTimers } from "../ports/timers.js";
import { createTurn } from "../ports/turn.js";
import type { Guardian } from "../runtimes/guardian.js";
import { createLauncher } from "../runtimes/launcher.js";
import { probePython } from "../runtimes/probes.js";
import { readBootId } from "../storage/boot-id.js";
import { createLmdbDriver } from "../storage/lmdb.js";
import { createMemoryDriver } from "../storage/memory.js";
import type { ClusterSettings, NodeCluster } from "./cluster.js";
import { writeLines } from "./exports.js";
import type { NodeSettings } from "./node-settings.js";
import { beginRun } from "./run-marker.js";

/** What a node works with, opened and put together. */
export interface NodeParts {
  readonly settings: NodeSettings;
  /** Who replicates a keygroup; `undefined` where nobody does. */
  readonly replicatorOf: (name: KeygroupName) => Replicator | undefined;
  readonly functions: Functions;
  readonly keygroups: NodeKeygroups;
  /** Keygroups over all their members; `undefined`: the node stands alone. */
  readonly overview: KeygroupOverview | undefined;
  /** The same, where the node is part of a cluster. */
  readonly members: ClusterKeygroups | undefined;
  /** `undefined`: the node stands alone. */
  readonly cluster: NodeCluster | undefined;
  readonly deployment: Deployment | undefined;
  readonly outbox: Outbox;
  readonly sessions: FunctionSessions;
  readonly launcher: Launcher;
  readonly guardian: Guardian;
  readonly nodeStore: Storage;
  readonly bootId: string;
  readonly draining: AbortController;
}

const NODE_STORE = "node";
/** Of this node; none can be said yet. */
const LABELS = {};

/** Ids of new invocations. */
export const nextInvocationId = createInvocationIds();

/** Opens the stores and puts everything together that a node works with; nothing listens yet. */
export async function openParts(settings: NodeSettings, guardian: Guardian): Promise<NodeParts> {
  const { dataDir, logger } = settings;
  const scratchDir = join(dataDir, "scratch");
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  const driver = openDriver(settings);
  const bootId = readBootId();
  const nodeStore = await driver.open(NODE_STORE);
  const resumes = await beginRun(nodeStore, bootId);
  const registry = new FunctionRegistry(nodeStore);
  const turn = createTurn();
  const clock = systemClock;
  const launcher = await createLauncher({
    runDir: join(dataDir, "run"),
    guests: {
      nodeMain: fileURLToPath(new URL("../guest/main.cjs", import.meta.url)),
      pythonDir: fileURLToPath(new URL("../../guest/python", import.meta.url)),
    },
    logger,
    guardian,
  });
  // why: a node that stands alone does not pay for loading what speaks with others.
  const parts = settings.cluster && (await import("./cluster-parts.js"));
  const cluster = await parts?.NodeCluster.open({
    settings: settings.cluster as ClusterSettings,
    node: settings.name as NodeName,
    nodeStore,
    clock,
    timers: systemTimers,
    turn,
    logger,
  });
  const shared: KeygroupsOptions = {
    driver,
    storageKind: settings.storage,
    nodeName: settings.name,
    nodeStore,
    resumes,
    defaults: settings.keygroupDefaults,
    turn,
    timers: systemTimers,
    clock,
    logger,
    syncIntervalMs: settings.syncIntervalMs,
    encodeSends: (keygroup, sends) => outbox.prepareSends(() => keygroups.find(keygroup), sends),
    membersOf: cluster && ((name) => nodesOf(cluster, name)),
    dropped: (name) => outbox.dropStore(name),
  };
  const members =
    cluster &&
    parts &&
    new parts.ClusterKeygroups({
      ...shared,
      directory: cluster.directory,
      router: cluster.router,
      random: Math.random,
      writeExport: (name, lines) => writeLines(join(dataDir, "exports"), name, lines),
      servingChanged: (name) => functions.renew(functionOf(name)),
      isInUse: (name) => registry.find(functionOf(name)) !== undefined,
    });
  const keygroups: NodeKeygroups = members ?? new Keygroups(shared);
  if (members && cluster && parts) {
    parts.serveOperations({
      requests: cluster.requests,
      serving: (name) => members.get(name),
      mayAsk: (name, peer) => members.mayAsk(name, peer),
      clock,
      timers: systemTimers,
      logger,
    });
  }
  const overview =
    members &&
    cluster &&
    parts &&
    new parts.KeygroupOverview({
      node: settings.name as NodeName,
      keygroups: members,
      directory: cluster.directory,
      requests: cluster.requests,
    });
  const python = await probePython();
  const pythonVersion = "missing" in python ? undefined : python.version;
  await cluster?.follow({
    version: settings.version,
    platform: `${process.platform}-${process.arch}`,
    python: pythonVersion,
    labels: LABELS,
    storage: settings.storage,
  });
  const draining = new AbortController();
  const artefacts = await createArtefactStore(join(dataDir, "artefacts"));
  const target = thisTarget(pythonVersion);
  const deployer = new Deployer({
    build: createBuildProcess({
      signal: draining.signal,
      logger,
      store: artefacts,
      target,
      pythonPath: "missing" in python ? undefined : python.path,
    }),
    scratchDir,
    clock,
    defaults: {
      ...settings.functionDefaults,
      isolation:
        settings.functionDefaults.isolation ??
        (launcher.report.isolations.includes("sandbox") ? "sandbox" : "process"),
    },
  });
  const functions: Functions = new Functions({
    nodeName: settings.name,
    registry,
    deployer,
    host: {
      launcher,
      turn,
      clock,
      logger,
      idleMs: settings.instanceIdleMs,
      pidsMax: settings.pidsMax,
      processors: availableParallelism(),
      tmpBytes: settings.tmpBytes,
      artefactDir: (hash) => artefacts.path(hash),
      storeFileOf: (name) =>
        members && !members.local(keygroupOf(name))?.isServing
          ? undefined
          : keygroups.find(keygroupOf(name)).storeFile,
      operationsFor: (name) =>
        members && cluster && parts
          ? new parts.RoutedOperations({
              keygroup: keygroupOf(name),
              serving: () => members.get(keygroupOf(name)),
              members: (seen) => members.serversOf(keygroupOf(name), seen),
              requests: cluster.requests,
              clock,
              logger,
            })
          : new KeygroupOperations(keygroups.find(keygroupOf(name)), logger),
    },
    ensureKeygroup: async (name) => void (await keygroups.ensure(keygroupOf(name))),
    resumeKeygroup: async (name) => void (await keygroups.resume(keygroupOf(name))),
    removeKeygroup: (name) => keygroups.remove(keygroupOf(name)),
    leaveKeygroup: (name) => keygroups.leave(keygroupOf(name)),
    collectArtefacts: (inUse) =>
      collectArtefacts(
        artefacts,
        new Set([...inUse, ...(deployment?.functions.artefactsInUse() ?? [])]),
      ),
  });
  const deployment: Deployment | undefined =
    cluster &&
    parts &&
    new parts.Deployment({
      node: settings.name as NodeName,
      labels: LABELS,
      target,
      directory: cluster.directory,
      requests: cluster.requests,
      functions,
      deployer,
      store: artefacts,
      removeKeygroup: (name) => functions.removeKeygroup(name),
      timers: systemTimers,
      logger,
    });
  const sessions = new FunctionSessions({
    keygroupOf: (name) => keygroups.get(keygroupOf(name)),
    isShownElsewhere: (name, seen) => members?.isShownElsewhere(keygroupOf(name), seen) === true,
    clock,
  });
  const outbox: Outbox = new Outbox({
    find: (name) => functions.find(name),
    sessions,
    storeOf: (name) => keygroups.find(keygroupOf(name)),
    clock,
    logger,
    random: Math.random,
    nextId: nextInvocationId,
  });
  await keygroups.open();
  await functions.open();
  outbox.open(keygroups.list());
  deployment?.start();
  return {
    settings,
    replicatorOf: (name) => members?.local(name)?.replicator,
    functions,
    keygroups,
    overview,
    members,
    cluster,
    deployment,
    outbox,
    sessions,
    launcher,
    guardian,
    nodeStore,
    bootId,
    draining,
  };
}

function openDriver(settings: NodeSettings): StorageDriver {
  if (settings.storage === "memory") return createMemoryDriver();
  return createLmdbDriver({
    dir: join(settings.dataDir, "stores"),
    usesLastSpace: (name) => name === NODE_STORE,
  });
}

/** The nodes that hold a keygroup, as far as is known here. */
function nodesOf({ directory }: NodeCluster, name: KeygroupName): string[] {
  return (directory.view.keygroup(name)?.members ?? []).map(({ node }) => node);
}

/** The default keygroup of a function has the function's name (contract, `kv`). */
export function keygroupOf(name: FunctionName): KeygroupName {
  return name as string as KeygroupName;
}

/** The function whose default keygroup has this name. */
export function functionOf(name: KeygroupName): FunctionName {
  return name as string as FunctionName;
}

async function collectArtefacts(store: ArtefactStore, inUse: ReadonlySet<string>): Promise<void> {
  for (const hash of await store.list()) if (!inUse.has(hash)) await store.remove(hash);
}
