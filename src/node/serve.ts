import { join } from "node:path";
import { performance } from "node:perf_hooks";

import type { Logger } from "../ports/logger.js";
import type { Isolation, LauncherReport } from "../ports/runtime.js";
import { systemTimers } from "../ports/timers.js";
import { openKeyRing } from "./cluster-keys.js";
import type { ClusterSettings } from "./cluster.js";
import type { NodeConfig } from "./config.js";
import { keepFreedMemory } from "./freed-memory.js";
import { createCollector, releaseIdleMemory } from "./idle-memory.js";
import { createLogger, type LogSink } from "./logger.js";
import { NODE_DEFAULTS, type NodeSettings } from "./node-settings.js";
import { EnokiNode } from "./node.js";
import { packageVersion } from "../installation/package-files.js";

/** What a started node tells: the ready line of `enoki up --json`. */
export interface ReadyNode {
  readonly name: string;
  readonly version: string;
  /** Base URLs; `null` = the port is off. */
  readonly functions: string | null;
  readonly admin: string | null;
  /** `coap://HOST:PORT`; `null` = off. */
  readonly coap: string | null;
  /** `HOST:PORT`; `null` = off. */
  readonly grpc: string | null;
  /** `HOST:PORT` that other nodes are told; `null` = it only dials out. Absent where it stands alone. */
  readonly links?: string | null;
  readonly dataDir: string;
  readonly pid: number;
  /** What this machine can confine functions with, and why not more. */
  readonly isolation: string;
  /** All nodes of this process, where there are several: this is the first of them. */
  readonly nodes?: readonly ReadyNode[];
}

/** Nodes that serve. */
export interface ServingNode {
  readonly ready: ReadyNode;
  /** One, or those of `--nodes` in their order. */
  readonly nodes: readonly EnokiNode[];
  /** Drains and stops; may be called again. */
  close(): Promise<void>;
}

/** What whoever starts nodes decides beside their configuration. */
export interface ServeIo {
  readonly log: LogSink;
  /** `HOST:PORT` that the others of `nodes` are told for the links of one; where it listens without. */
  readonly linkAddress?: (node: string) => string | undefined;
}

/**
 * Starts a node, or the several of `nodes`, from its configuration; it serves when this resolves.
 * @throws EnokiError `ENOKI_PORT_IN_USE`, `ENOKI_DATA_DIR_IN_USE`, `ENOKI_STORAGE_FORMAT`,
 * `ENOKI_CREDENTIALS_REQUIRED`
 */
export async function serve(
  config: NodeConfig,
  io: ServeIo = { log: process.stderr },
): Promise<ServingNode> {
  const nodes: EnokiNode[] = [];
  keepFreedMemory();
  const stopReleasing = releaseIdleMemory({
    timers: systemTimers,
    busyMs: () => performance.eventLoopUtilization().active,
    collect: createCollector(),
  });
  const close = async (): Promise<void> => {
    stopReleasing();
    await Promise.all(nodes.map((node) => node.close()));
  };
  try {
    for (const settings of await settingsOfAll(config, io)) {
      nodes.push(await EnokiNode.start(settings));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const all = nodes.map(describe);
  const [first] = all as [ReadyNode];
  return { nodes, ready: config.nodes ? { ...first, nodes: all } : first, close };
}

function describe({ settings, addresses, launcher, cluster }: EnokiNode): ReadyNode {
  const { report } = launcher;
  return {
    name: settings.name,
    version: settings.version,
    functions: addresses.functions,
    admin: addresses.admin,
    coap: addresses.coap,
    grpc: addresses.grpc,
    ...(cluster && { links: cluster.addresses[0] ?? null }),
    dataDir: settings.dataDir,
    pid: process.pid,
    isolation: isolationLine(report, settings.functionDefaults.isolation),
  };
}

/**
 * What functions are confined with, how their memory is held (`cgroup v1`, `cgroup v2`, `watched RSS`), and
 * why there is no sandbox. `chosen`: of functions that name none, if the node was told.
 */
export function isolationLine(
  { sandboxMissing, memoryLimit }: LauncherReport,
  chosen: Isolation | undefined,
): string {
  const memory = `memory by ${memoryLimit}`;
  if (sandboxMissing !== undefined) return `process only, ${memory} (${sandboxMissing})`;
  return chosen === "process"
    ? `process, sandbox for functions that ask for it, ${memory}`
    : `sandbox, ${memory}`;
}

/** The settings of each node that this process is to run. */
async function settingsOfAll(config: NodeConfig, io: ServeIo): Promise<NodeSettings[]> {
  const settings = await settingsOf(config, io.log);
  const { naming, nodes, linkPort, host } = config;
  if (nodes !== undefined) return severalOf(settings, nodes, io);
  if (naming === "memory") return [settings];
  const { EtcdNaming } = await import("../naming/etcd/etcd-naming.js");
  const cluster: ClusterSettings = {
    connectNaming: () => new EtcdNaming(naming),
    listen: linkPort === undefined ? undefined : { host, port: linkPort },
    advertise: config.advertise,
    credentials: config.linkCredentials,
  };
  return [{ ...settings, cluster }];
}

/** Several nodes that share a naming service in memory; ports that are said count up from node to node. */
async function severalOf(
  settings: NodeSettings,
  names: readonly string[],
  { linkAddress }: ServeIo,
): Promise<NodeSettings[]> {
  const { MemoryNamingService } = await import("../naming/memory.js");
  const service = new MemoryNamingService({ timers: systemTimers });
  const portOf = (base: number | undefined, index: number): number | undefined =>
    base === undefined || base === 0 ? base : base + index;
  return names.map((name, index) => ({
    ...settings,
    name,
    dataDir: join(settings.dataDir, name),
    functionPort: portOf(settings.functionPort, index),
    adminPort: portOf(settings.adminPort, index),
    coapPort: portOf(settings.coapPort, index),
    grpcPort: portOf(settings.grpcPort, index),
    logger: withNode(settings.logger, name),
    cluster: {
      connectNaming: () => service.connect(),
      listen: { host: "127.0.0.1", port: 0 },
      advertise: linkAddress?.(name),
      credentials: undefined,
    },
  }));
}

/** Says in each line which node it is about. */
function withNode(logger: Logger, node: string): Logger {
  return {
    debug: (fields, message) => logger.debug({ ...fields, at: node }, message),
    info: (fields, message) => logger.info({ ...fields, at: node }, message),
    warn: (fields, message) => logger.warn({ ...fields, at: node }, message),
    error: (fields, message) => logger.error({ ...fields, at: node }, message),
  };
}

async function settingsOf(config: NodeConfig, log: LogSink): Promise<NodeSettings> {
  return {
    ...NODE_DEFAULTS,
    name: config.name,
    version: packageVersion(),
    labels: config.labels,
    dataDir: config.dataDir,
    host: config.host,
    functionPort: config.functionPort,
    adminPort: config.adminPort,
    coapPort: config.coapPort,
    grpcPort: config.grpcPort,
    storage: config.storage,
    adminToken: config.adminToken,
    functionsNeedToken: config.functions === "token",
    allowUploadUrl: config.allowUploadUrl,
    bodyLimitBytes: config.bodyLimitBytes,
    drainTimeoutMs: config.drainTimeoutMs,
    instanceIdleMs: config.instanceIdleMs,
    functionDefaults: {
      ...NODE_DEFAULTS.functionDefaults,
      isolation: config.isolation === "auto" ? undefined : config.isolation,
    },
    keygroupDefaults: { ...NODE_DEFAULTS.keygroupDefaults, durability: config.durability },
    keyRing: await openKeyRing({
      given: config.clusterKeys,
      dataDir: config.dataDir,
      mayMakeOwn: config.naming === "memory",
    }),
    logger: await createLogger(config.logFormat, log),
    tracing: config.tracing,
  };
}
