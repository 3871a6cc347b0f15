// Why so long: it names every part of a node once, and what each is given of the others.

import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { packageFile } from "../installation/package-files.js";
import type { Deployment } from "../deployment/deployment.js";
import type { EnokiError } from "../core/errors.js";
import type { KeygroupName, NodeName } from "../core/ids.js";
import { createArtefactStore, type ArtefactStore } from "../functions/artefacts.js";
import { thisTarget } from "../functions/build-target.js";
import { createBuildProcess } from "../functions/build/build-process.js";
import type { FunctionCalls } from "../functions/calls/function-calls.js";
import { InstanceCalls } from "../functions/calls/instance-calls.js";
import { Deployer } from "../functions/deployer.js";
import { Functions } from "../functions/functions.js";
import { createInvocationIds } from "../functions/invocation-ids.js";
import { Outbox } from "../functions/outbox/outbox.js";
import { FunctionRegistry } from "../functions/registry.js";
import { FunctionSessions } from "../functions/sessions.js";
import type { Grants } from "../keygroups/grants.js";
import type { KeygroupsOptions } from "../keygroups/keygroup-stores.js";
import type { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
import type { KeygroupOverview } from "../keygroups/overview/overview.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import type { RemoveReplicaOptions, ReplicasFacade } from "../keygroups/replicas-facade.js";
import type { Replicator } from "../keygroups/replication/replicator.js";
import { systemClock } from "../ports/clock.js";
import type { Launcher } from "../ports/runtime.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import { systemTimers } from "../ports/timers.js";
import type { Tracer } from "../ports/tracer.js";
import { createTurn } from "../ports/turn.js";
import type { Guardian } from "../runtimes/guardian.js";
import { createLauncher } from "../runtimes/launcher.js";
import { probePython } from "../runtimes/probes.js";
import { readBootId } from "../storage/boot-id.js";
import { createLmdbDriver } from "../storage/lmdb.js";
import { createMemoryDriver } from "../storage/memory.js";
import { Secrets } from "../secrets/secrets.js";
import { openCalls } from "./call-parts.js";
import { keyRingOf } from "./cluster-keys.js";
import type { ClusterSettings, NodeCluster } from "./cluster.js";
import {
  aloneKeygroups,
  clusterKeygroups,
  functionOf,
  keygroupOf,
  type FunctionsOfKeygroups,
} from "./keygroup-parts.js";
import { NODE_STORE, STORES_FOLDER } from "./data-dir.js";
import type { NodeSettings } from "./node-settings.js";
import { openRights, type NodeRights } from "./rights.js";
import { beginRun } from "./run-marker.js";
import { openTracer } from "./tracer-parts.js";
import { isChosen, sourceStarters } from "./trigger-starters.js";
import { openDataTriggers } from "./data-trigger-parts.js";
import { noteFunction, openTriggerBook, startSources, type TriggerParts } from "./trigger-parts.js";

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
  readonly replicas: ReplicasFacade | undefined;
  readonly cluster: NodeCluster | undefined;
  readonly deployment: Deployment | undefined;
  readonly outbox: Outbox;
  /** What calls functions by itself. */
  readonly triggers: TriggerParts;
  readonly calls: FunctionCalls;
  readonly rights: NodeRights;
  readonly grants: Grants;
  readonly secrets: Secrets;
  readonly sessions: FunctionSessions;
  readonly launcher: Launcher;
  readonly guardian: Guardian;
  readonly nodeStore: Storage;
  readonly bootId: string;
  readonly draining: AbortController;
  readonly tracer: Tracer;
}

/** Ids of new invocations. */
export const nextInvocationId = createInvocationIds();

/** What was opened so far, each with the way to close it. */
type Opened = (() => Promise<unknown>)[];

/**
 * Opens the stores and puts everything together that a node works with; nothing listens yet. If it
 * fails, what was open is closed again.
 */
export async function openParts(settings: NodeSettings, guardian: Guardian): Promise<NodeParts> {
  const opened: Opened = [];
  try {
    return await openAll(settings, guardian, opened);
  } catch (error) {
    for (const close of opened.toReversed()) {
      await close().catch((cause: unknown) => {
        settings.logger.warn({ error: String(cause) }, "a part did not close after a failed start");
      });
    }
    throw error;
  }
}

async function openAll(
  settings: NodeSettings,
  guardian: Guardian,
  opened: Opened,
): Promise<NodeParts> {
  const { dataDir, logger } = settings;
  const node = settings.name as NodeName;
  const scratchDir = join(dataDir, "scratch");
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  const driver = openDriver(settings);
  const bootId = readBootId();
  const nodeStore = await driver.open(NODE_STORE);
  opened.push(() => nodeStore.close());
  const resumes = await beginRun(nodeStore, bootId);
  const registry = new FunctionRegistry(nodeStore);
  const turn = createTurn();
  const clock = systemClock;
  const tracer = await openTracer(settings, clock);
  opened.push(() => tracer.close());
  const launcher = await createLauncher({
    runDir: join(dataDir, "run"),
    guests: {
      nodeMain: packageFile("dist/guest/main.cjs"),
      pythonDir: packageFile("guest/python"),
    },
    logger,
    guardian,
  });
  opened.push(() => launcher.close());
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
  if (cluster) opened.push(() => cluster.close());
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
    tracer,
    syncIntervalMs: settings.syncIntervalMs,
    encodeSends: (name, sends, origin) =>
      outbox.prepareSends(() => keygroups.find(name), functionOf(name), sends, origin),
    reactionsOf: (name) => dataTriggers.reactionsOf(name),
    membersOf: cluster && ((name) => nodesOf(cluster, name)),
    dropped: (name) => {
      outbox.dropStore(name);
      parted.dropped(name);
    },
  };
  const uses: FunctionsOfKeygroups = {
    turned: (name) => functions.renew(functionOf(name)),
    isInUse: (name) => registry.find(functionOf(name)) !== undefined,
  };
  const parted =
    cluster && parts
      ? clusterKeygroups(parts, cluster, shared, dataDir, uses)
      : aloneKeygroups(shared);
  const { keygroups, members, overview, replicas, replicatorOf } = parted;
  opened.push(() => keygroups.close());
  const python = await probePython();
  const pythonVersion = "missing" in python ? undefined : python.version;
  await cluster?.follow({
    version: settings.version,
    platform: `${process.platform}-${process.arch}`,
    python: pythonVersion,
    labels: settings.labels,
    storage: settings.storage,
  });
  const rights = openRights({ settings, nodeStore, directory: cluster?.directory, clock });
  opened.push(() => rights.close());
  const triggers = openTriggerBook(cluster, registry.list());
  const secrets = new Secrets(await keyRingOf(settings));
  const dataTriggers = openDataTriggers({
    book: triggers,
    node: settings.name as NodeName,
    cluster,
    keygroups: () => keygroups,
    outbox: () => outbox,
    rightsOf: (...of) => parted.grants.rightsOf(...of),
    clock,
    logger,
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
      tracer,
      idleMs: settings.instanceIdleMs,
      pidsMax: settings.pidsMax,
      processors: availableParallelism(),
      tmpBytes: settings.tmpBytes,
      artefactDir: (hash) => artefacts.path(hash),
      storeFileOf: (name) => parted.storeFileOf(keygroupOf(name)),
      operationsFor: (name) => parted.operationsFor(name),
      openSecrets: (name, sealed) => secrets.open(name, sealed),
      callsFor: (caller) =>
        new InstanceCalls({
          caller,
          calls,
          outbox,
          sessions,
          nextId: nextInvocationId,
          clock,
          logger,
          tracer,
        }),
    },
    ensureKeygroup: async (name) => void (await keygroups.ensure(keygroupOf(name))),
    resumeKeygroup: async (name) => void (await keygroups.resume(keygroupOf(name))),
    removeKeygroup: (name) => keygroups.remove(keygroupOf(name)),
    leaveKeygroup: (name) => keygroups.leave(keygroupOf(name)),
    changed: (name) => {
      if (!cluster) noteFunction(triggers, name, registry.find(name));
      sources.look();
    },
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
      labels: settings.labels,
      target,
      directory: cluster.directory,
      requests: cluster.requests,
      functions,
      deployer,
      store: artefacts,
      data: {
        remove: (name) => functions.removeKeygroup(name),
        create: async (name, placement) =>
          void (await keygroups.create(keygroupOf(name), {}, placement)),
        takeFrom: async (name, node, how) => takeFrom(replicas, keygroupOf(name), node, how),
      },
      clock,
      timers: systemTimers,
      logger,
    });
  const sessions = new FunctionSessions({
    keygroupOf: (name) => keygroups.get(keygroupOf(name)),
    isShownElsewhere: (name, seen) => members?.isShownElsewhere(keygroupOf(name), seen) === true,
    clock,
  });
  const find = (name: string) => functions.find(name);
  const { calls, local, serve } = openCalls({ find, sessions, clock, tracer }, cluster, parts);
  const outbox: Outbox = new Outbox({
    calls,
    local,
    sessions,
    storeOf: (name) => keygroups.find(keygroupOf(name)),
    clock,
    logger,
    random: Math.random,
    nextId: nextInvocationId,
    tracer,
  });
  serve(outbox, draining.signal);
  let sources: TriggerParts = {
    look: () => {},
    failuresOf: () => new Map(),
    close: async () => {},
  };
  await keygroups.open();
  opened.push(() => functions.kill());
  await functions.open();
  outbox.open(keygroups.list());
  sources = startSources({
    book: triggers,
    starters: sourceStarters({
      node,
      nodeStore,
      cluster,
      secrets,
      clock,
      timers: systemTimers,
      logger,
    }),
    isHere: (trigger) =>
      functions.find(trigger.function) !== undefined && isChosen(trigger, node, cluster),
    outbox,
    cluster,
    logger,
  });
  opened.push(() => sources.close());
  dataTriggers.open();
  opened.push(async () => dataTriggers.close());
  deployment?.start();
  return {
    settings,
    replicatorOf,
    functions,
    keygroups,
    overview,
    members,
    replicas,
    cluster,
    deployment,
    outbox,
    triggers: {
      ...sources,
      close: async () => {
        dataTriggers.close();
        await sources.close();
      },
    },
    calls,
    rights,
    grants: parted.grants,
    secrets,
    sessions,
    launcher,
    guardian,
    nodeStore,
    bootId,
    draining,
    tracer,
  };
}

function openDriver(settings: NodeSettings): StorageDriver {
  if (settings.storage === "memory") return createMemoryDriver();
  return createLmdbDriver({
    dir: join(settings.dataDir, STORES_FOLDER),
    usesLastSpace: (name) => name === NODE_STORE,
  });
}

/** The nodes that hold a keygroup, as far as is known here. */
function nodesOf({ directory }: NodeCluster, name: KeygroupName): string[] {
  return (directory.view.keygroup(name)?.members ?? []).map(({ node }) => node);
}

/** Takes a replica from a node, unless there is none or the data are to lie there and nowhere else. */
async function takeFrom(
  replicas: ReplicasFacade | undefined,
  name: KeygroupName,
  node: NodeName,
  how: RemoveReplicaOptions,
): Promise<number | undefined> {
  const places = await replicas?.show(name).catch((error: unknown) => {
    if ((error as EnokiError).code === "ENOKI_KEYGROUP_NOT_FOUND") return undefined;
    throw error;
  });
  const isThere = places?.replicas.some((replica) => replica.node === node) === true;
  if (!replicas || !isThere || places.placement.kind === "at") return 0;
  return (await replicas.remove(name, node, how)).lost;
}

async function collectArtefacts(store: ArtefactStore, inUse: ReadonlySet<string>): Promise<void> {
  for (const hash of await store.list()) if (!inUse.has(hash)) await store.remove(hash);
}
