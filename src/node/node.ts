import { mkdir, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { getRequestListener } from "@hono/node-server";
import { createServer } from "node:http";

import type { FunctionName, KeygroupName } from "../core/ids.js";
import { createArtefactStore, type ArtefactStore } from "../functions/artefacts.js";
import { thisTarget } from "../functions/build-target.js";
import { createBuildProcess } from "../functions/build/build-process.js";
import { Deployer } from "../functions/deployer.js";
import { Functions } from "../functions/functions.js";
import { FunctionSessions } from "../functions/sessions.js";
import { createInvocationIds } from "../functions/invocation-ids.js";
import { Outbox } from "../functions/outbox/outbox.js";
import { FunctionRegistry } from "../functions/registry.js";
import { createAdminApp } from "../gateway/admin/app.js";
import { cutIdleBodies } from "../gateway/admin/idle-body.js";
import { createTokenCheck } from "../gateway/auth.js";
import { createFunctionPort } from "../gateway/functions/function-port.js";
import { Keygroups } from "../keygroups/keygroups.js";
import { KeygroupOperations } from "../keygroups/operation-server.js";
import { systemClock } from "../ports/clock.js";
import type { Launcher } from "../ports/runtime.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import { systemTimers } from "../ports/timers.js";
import { createTurn } from "../ports/turn.js";
import { acquireGuardian, type Guardian } from "../runtimes/guardian.js";
import { createLauncher } from "../runtimes/launcher.js";
import { probePython } from "../runtimes/probes.js";
import { readBootId } from "../storage/boot-id.js";
import { createLmdbDriver } from "../storage/lmdb.js";
import { createMemoryDriver } from "../storage/memory.js";
import { closeServer, listen, urlHost } from "./listen.js";
import { createNodeMetrics } from "./metrics.js";
import { beginRun, endRun } from "./run-marker.js";
import type { NodeSettings } from "./node-settings.js";

/** Where a running node can be reached. */
export interface NodeAddresses {
  readonly functions: string | null;
  readonly admin: string | null;
}

const NODE_STORE = "node";

/**
 * One Enoki node: the composition root. It opens the stores, takes up what was deployed, and
 * listens; {@link EnokiNode.close} drains and undoes all that in reverse.
 */
export class EnokiNode {
  readonly settings: NodeSettings;
  readonly functions: Functions;
  readonly keygroups: Keygroups;
  readonly outbox: Outbox;
  readonly launcher: Launcher;
  readonly #guardian: Guardian;
  readonly #nodeStore: Storage;
  readonly #bootId: string;
  readonly #servers: Server[] = [];
  #addresses: NodeAddresses = { functions: null, admin: null };
  #isReady = false;
  readonly #draining: AbortController;
  #closing: Promise<void> | undefined;

  /** For {@link EnokiNode.start}: from parts that are open already. */
  constructor(parts: {
    settings: NodeSettings;
    functions: Functions;
    keygroups: Keygroups;
    outbox: Outbox;
    launcher: Launcher;
    guardian: Guardian;
    nodeStore: Storage;
    bootId: string;
    draining: AbortController;
  }) {
    this.settings = parts.settings;
    this.functions = parts.functions;
    this.keygroups = parts.keygroups;
    this.outbox = parts.outbox;
    this.launcher = parts.launcher;
    this.#guardian = parts.guardian;
    this.#nodeStore = parts.nodeStore;
    this.#bootId = parts.bootId;
    this.#draining = parts.draining;
  }

  /**
   * Starts a node; it serves when this resolves.
   * @throws EnokiError `ENOKI_DATA_DIR_IN_USE`, `ENOKI_PORT_IN_USE`, `ENOKI_STORAGE_FORMAT`
   */
  static async start(settings: NodeSettings): Promise<EnokiNode> {
    const { dataDir, logger } = settings;
    // Asked for now and waited for later: to start a Python takes long.
    void probePython();
    const guardian = await acquireGuardian({
      dataDir,
      logger,
      onLost: (cause) => {
        logger.error({ error: String(cause) }, "the data directory can no longer be guarded");
        process.kill(process.pid, "SIGTERM");
      },
    });
    try {
      const node = await assemble(settings, guardian);
      await node.#listen();
      node.#isReady = true;
      return node;
    } catch (error) {
      await guardian.release();
      throw error;
    }
  }

  get addresses(): NodeAddresses {
    return this.#addresses;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Drains: takes nothing new, lets calls end within the drain time, syncs and stops. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #listen(): Promise<void> {
    const { settings } = this;
    const authorize = createTokenCheck(
      settings.functionsNeedToken ? settings.adminToken : undefined,
    );
    const functionPort = createFunctionPort({
      find: (name) => this.functions.find(name),
      nextId: nextInvocationId,
      enqueue: (host, fresh, request) => this.outbox.enqueue(host, fresh, request),
      outcome: (id) => this.outbox.outcome(id),
      sessions: new FunctionSessions({
        gateOf: (name) => this.keygroups.get(keygroupOf(name))?.sessions,
        clock: systemClock,
      }),
      bodyLimitBytes: settings.bodyLimitBytes,
      arrivalMs: settings.callArrivalMs,
      arePublic: !settings.functionsNeedToken,
      authorize,
      isDraining: () => !this.#isReady,
      logger: settings.logger,
    });
    const functions = await this.#open(functionPort, settings.functionPort, "--function-port");
    const metrics = createNodeMetrics(this);
    const app = createAdminApp({
      functions: this.functions,
      invocations: this.outbox,
      keygroups: this.keygroups,
      removeKeygroup: (name) => this.functions.removeKeygroup(functionOf(name)),
      node: () => this.#describe(),
      isReady: () => this.#isReady,
      draining: this.#draining.signal,
      metrics,
      adminToken: settings.adminToken,
      functionUrl: () => this.#addresses.functions ?? "",
      allowUploadUrl: settings.allowUploadUrl,
      logger: settings.logger,
    });
    const adminPort = createServer(getRequestListener((request) => app.fetch(request)));
    cutIdleBodies(adminPort, settings.adminBodyIdleMs);
    this.#addresses = { functions, admin: null };
    const admin = await this.#open(adminPort, settings.adminPort, "--admin-port");
    this.#addresses = { functions, admin };
  }

  async #open(server: Server, port: number | undefined, flag: string): Promise<string | null> {
    if (port === undefined) return null;
    const { host } = this.settings;
    this.#servers.push(server);
    try {
      return `http://${urlHost(host)}:${await listen(server, { host, port, flag })}`;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  #describe() {
    const { settings, launcher } = this;
    const { report } = launcher;
    return {
      name: settings.name,
      version: settings.version,
      addresses: this.#addresses,
      access: settings.functionsNeedToken ? ("token" as const) : ("public" as const),
      runtimes: report.kinds,
      isolation: {
        available: report.isolations,
        ...(report.sandboxMissing === undefined ? {} : { sandboxMissing: report.sandboxMissing }),
        memoryLimit: report.memoryLimit,
      },
      storage: {
        driver: settings.storage,
        dataDir: settings.storage === "memory" ? null : settings.dataDir,
      },
    };
  }

  async #close(): Promise<void> {
    this.#isReady = false;
    this.#draining.abort();
    this.outbox.stop();
    const { drainTimeoutMs } = this.settings;
    const drained = Promise.all(this.#servers.map((server) => closeServer(server, drainTimeoutMs)));
    const timer = setTimeout(() => void this.functions.kill(), drainTimeoutMs);
    await this.functions.stop();
    clearTimeout(timer);
    await drained;
    await this.launcher.close();
    await this.keygroups.close();
    await endRun(this.#nodeStore, this.#bootId);
    await this.#nodeStore.close();
    await this.#guardian.release();
  }
}

const nextInvocationId = createInvocationIds();

async function assemble(settings: NodeSettings, guardian: Guardian): Promise<EnokiNode> {
  const { dataDir, logger } = settings;
  const scratchDir = join(dataDir, "scratch");
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  const driver = openDriver(settings);
  const bootId = readBootId();
  const nodeStore = await driver.open(NODE_STORE);
  const resumes = await beginRun(nodeStore, bootId);
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
  const keygroups: Keygroups = new Keygroups({
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
    dropped: (name) => outbox.dropStore(name),
  });
  await keygroups.open();
  const draining = new AbortController();
  const artefacts = await createArtefactStore(join(dataDir, "artefacts"));
  const python = await probePython();
  const pythonVersion = "missing" in python ? undefined : python.version;
  const functions: Functions = new Functions({
    nodeName: settings.name,
    registry: new FunctionRegistry(nodeStore),
    deployer: new Deployer({
      build: createBuildProcess({
        signal: draining.signal,
        logger,
        store: artefacts,
        target: thisTarget(pythonVersion),
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
    }),
    host: {
      launcher,
      turn,
      clock,
      logger,
      idleMs: settings.instanceIdleMs,
      pidsMax: settings.pidsMax,
      tmpBytes: settings.tmpBytes,
      artefactDir: (hash) => artefacts.path(hash),
      storeFileOf: (name) => keygroups.find(keygroupOf(name)).storeFile,
      operationsFor: (name) => new KeygroupOperations(keygroups.find(keygroupOf(name)), logger),
    },
    ensureKeygroup: async (name) => void (await keygroups.ensure(keygroupOf(name))),
    removeKeygroup: (name) => keygroups.remove(keygroupOf(name)),
    collectArtefacts: (inUse) => collectArtefacts(artefacts, inUse),
  });
  const outbox: Outbox = new Outbox({
    find: (name) => functions.find(name),
    storeOf: (name) => keygroups.find(keygroupOf(name)),
    clock,
    logger,
    random: Math.random,
    nextId: nextInvocationId,
  });
  await functions.open();
  outbox.open(keygroups.list());
  return new EnokiNode({
    settings,
    functions,
    keygroups,
    outbox,
    launcher,
    guardian,
    nodeStore,
    bootId,
    draining,
  });
}

function openDriver(settings: NodeSettings): StorageDriver {
  if (settings.storage === "memory") return createMemoryDriver();
  return createLmdbDriver({ dir: join(settings.dataDir, "stores") });
}

/** The default keygroup of a function has the function's name (contract, `kv`). */
function keygroupOf(name: FunctionName): KeygroupName {
  return name as string as KeygroupName;
}

/** The function whose default keygroup has this name. */
function functionOf(name: KeygroupName): FunctionName {
  return name as string as FunctionName;
}

async function collectArtefacts(store: ArtefactStore, inUse: ReadonlySet<string>): Promise<void> {
  for (const hash of await store.list()) if (!inUse.has(hash)) await store.remove(hash);
}
