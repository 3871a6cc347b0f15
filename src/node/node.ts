import { getRequestListener } from "@hono/node-server";
import { createServer } from "node:http";

import type { Functions } from "../functions/functions.js";
import type { FunctionSessions } from "../functions/sessions.js";
import type { Outbox } from "../functions/outbox/outbox.js";
import { createAdminApp, createDataApp } from "../gateway/admin/app.js";
import type { AdminDeps, KnownNode } from "../gateway/admin/deps.js";
import {
  createForwarding,
  serveForwarded,
  type DataForwarding,
} from "../gateway/admin/forwarding.js";
import { cutIdleBodies } from "../gateway/admin/idle-body.js";
import { CallEntry } from "../gateway/functions/call-entry.js";
import type { ClusterKeygroups } from "../keygroups/members/cluster-keygroups.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import type { Launcher } from "../ports/runtime.js";
import type { Storage } from "../ports/storage.js";
import { acquireGuardian, type Guardian } from "../runtimes/guardian.js";
import { probePython } from "../runtimes/probes.js";
import type { NodeName } from "../core/ids.js";
import { openCoap, openFunctionPort, openGrpc } from "./call-ports.js";
import type { NodeCluster } from "./cluster.js";
import { createNodeMetrics } from "./metrics.js";
import { nodeAlone, nodesOf } from "./node-list.js";
import type { NodeSettings } from "./node-settings.js";
import { openServer, type OpenPort } from "./open-port.js";
import { functionOf } from "./keygroup-parts.js";
import { nextInvocationId, openParts, type NodeParts } from "./parts.js";
import { isPublic } from "./rights.js";
import { endRun } from "./run-marker.js";

/** Where a running node can be reached. */
export interface NodeAddresses {
  readonly functions: string | null;
  readonly admin: string | null;
  readonly coap: string | null;
  readonly grpc: string | null;
}

const NOWHERE: NodeAddresses = { functions: null, admin: null, coap: null, grpc: null };

/**
 * One Enoki node: the composition root. It opens the stores, takes up what was deployed, and
 * listens; {@link EnokiNode.close} drains and undoes all that in reverse.
 */
export class EnokiNode {
  readonly settings: NodeSettings;
  readonly functions: Functions;
  readonly keygroups: NodeKeygroups;
  readonly replicatorOf: NodeParts["replicatorOf"];
  /** `undefined`: the node stands alone. */
  readonly replicas: NodeParts["replicas"];
  readonly cluster: NodeCluster | undefined;
  /** The keygroups, where the node is part of a cluster. */
  readonly members: ClusterKeygroups | undefined;
  readonly outbox: Outbox;
  readonly launcher: Launcher;
  readonly #guardian: Guardian;
  readonly #nodeStore: Storage;
  readonly #bootId: string;
  readonly #ports: OpenPort[] = [];
  #addresses = NOWHERE;
  #isReady = false;
  readonly #draining: AbortController;
  readonly #sessions: FunctionSessions;
  readonly #triggers: NodeParts["triggers"];
  readonly #calls: NodeParts["calls"];
  readonly #deployment: NodeParts["deployment"];
  readonly #overview: NodeParts["overview"];
  readonly #rights: NodeParts["rights"];
  readonly #grants: NodeParts["grants"];
  readonly tracer: NodeParts["tracer"];
  readonly #secrets: NodeParts["secrets"];
  #closing: Promise<void> | undefined;

  /** For {@link EnokiNode.start}: from parts that are open already. */
  constructor(parts: NodeParts) {
    this.settings = parts.settings;
    this.functions = parts.functions;
    this.keygroups = parts.keygroups;
    this.replicatorOf = parts.replicatorOf;
    this.replicas = parts.replicas;
    this.cluster = parts.cluster;
    this.members = parts.members;
    this.outbox = parts.outbox;
    this.launcher = parts.launcher;
    this.#guardian = parts.guardian;
    this.#nodeStore = parts.nodeStore;
    this.#bootId = parts.bootId;
    this.#draining = parts.draining;
    this.#sessions = parts.sessions;
    this.#triggers = parts.triggers;
    this.#calls = parts.calls;
    this.#deployment = parts.deployment;
    this.#overview = parts.overview;
    this.#rights = parts.rights;
    this.#grants = parts.grants;
    this.tracer = parts.tracer;
    this.#secrets = parts.secrets;
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
      const node = new EnokiNode(await openParts(settings, guardian));
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
    const { host, logger } = settings;
    const { access, tokens } = this.#rights;
    await this.#listenForCalls();
    const metrics = createNodeMetrics(this);
    const deps: AdminDeps = {
      functions: this.#deployment?.functions ?? this.functions,
      triggerFailures: (name) => this.#triggers.failuresOf(name),
      invocations: this.outbox,
      keygroups: this.keygroups,
      overview: this.#overview,
      replicas: this.replicas,
      removeKeygroup: (name) => this.functions.removeKeygroup(functionOf(name)),
      node: () => this.#describe(),
      nodes: () => this.#nodes(),
      isReady: () => this.#isReady,
      draining: this.#draining.signal,
      metrics,
      access,
      tokens,
      grants: this.#grants,
      secrets: this.#secrets,
      functionUrl: () => this.#addresses.functions ?? "",
      allowUploadUrl: settings.allowUploadUrl,
      logger,
    };
    const app = createAdminApp({ ...deps, forwarding: this.#forwarding(deps) });
    const adminPort = createServer(getRequestListener((request) => app.fetch(request)));
    cutIdleBodies(adminPort, settings.adminBodyIdleMs);
    const admin = await this.#open(settings.adminPort, (port) =>
      openServer(adminPort, { host, port, flag: "--admin-port" }),
    );
    this.#addresses = { ...this.#addresses, admin };
  }

  async #listenForCalls(): Promise<void> {
    const { settings } = this;
    const { host, logger, bodyLimitBytes } = settings;
    const entry = new CallEntry({
      find: (name) => this.functions.find(name),
      nodesOf: (name) => this.#calls.nodesOf(name),
      nextId: nextInvocationId,
      sessions: this.#sessions,
      isPublic: (host) => isPublic(host?.revision.config, settings),
      authorize: (authorization) => this.#rights.access.require(authorization, "invoke"),
      isDraining: () => !this.#isReady,
      logger,
      tracer: this.tracer,
    });
    const options = {
      entry,
      enqueue: this.outbox.enqueue.bind(this.outbox),
      outcome: this.outbox.outcome.bind(this.outbox),
      bodyLimitBytes,
      arrivalMs: settings.callArrivalMs,
      logger,
    };
    this.#addresses = {
      ...NOWHERE,
      functions: await this.#open(settings.functionPort, (port) =>
        openFunctionPort(options, { host, port }),
      ),
      coap: await this.#open(settings.coapPort, (port) => openCoap(options, { host, port })),
      grpc: await this.#open(settings.grpcPort, (port) => openGrpc(options, { host, port })),
    };
  }

  /** Takes requests about data to other nodes, and answers theirs. */
  #forwarding(deps: AdminDeps): DataForwarding | undefined {
    const { members, cluster } = this;
    if (!members || !cluster) return undefined;
    const { requests } = cluster;
    const local = createDataApp(deps);
    serveForwarded({
      requests,
      mayAsk: (name, peer) => members.mayAsk(name, peer),
      answer: (request) => local.fetch(request),
    });
    return createForwarding({
      requests,
      members: (name, seen) => members.serversOf(name, seen),
      hasPart: (name) => members.mayAsk(name, this.settings.name as NodeName),
    });
  }

  async #open(
    port: number | undefined,
    open: (port: number) => Promise<OpenPort>,
  ): Promise<string | null> {
    if (port === undefined) return null;
    try {
      const opened = await open(port);
      this.#ports.push(opened);
      return opened.address;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  #nodes(): KnownNode[] {
    const { settings, cluster } = this;
    if (cluster) return nodesOf(cluster.directory, settings.name);
    const { name, version, storage, labels } = settings;
    const functions = this.functions.list().map((known) => known.name);
    const keygroups = this.keygroups.list().map((known) => known.name);
    return nodeAlone({ name, version, storage, labels, functions, keygroups });
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
    const untriggered = this.#triggers.close();
    this.outbox.stop();
    const { drainTimeoutMs } = this.settings;
    const drained = Promise.all(this.#ports.map((port) => port.close(drainTimeoutMs)));
    const followed = this.#deployment?.close();
    const timer = setTimeout(() => void this.functions.kill(), drainTimeoutMs);
    await this.functions.stop();
    clearTimeout(timer);
    await drained;
    await this.launcher.close();
    await followed;
    await untriggered;
    await this.keygroups.close();
    await this.#rights.close();
    await this.cluster?.close();
    await this.tracer.close();
    await endRun(this.#nodeStore, this.#bootId);
    await this.#nodeStore.close();
    await this.#guardian.release();
  }
}
