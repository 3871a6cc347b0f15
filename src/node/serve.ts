import { EnokiError } from "../core/errors.js";
import type { NodeConfig } from "./config.js";
import { createLogger, type LogSink } from "./logger.js";
import { NODE_DEFAULTS, type NodeSettings } from "./node-settings.js";
import { EnokiNode } from "./node.js";
import { packageVersion } from "./package-version.js";

/** What a started node tells: the ready line of `enoki up --json`. */
export interface ReadyNode {
  readonly name: string;
  readonly version: string;
  /** Base URLs; `null` = the port is off. */
  readonly functions: string | null;
  readonly admin: string | null;
  readonly dataDir: string;
  readonly pid: number;
  /** What this machine can confine functions with, and why not more. */
  readonly isolation: string;
}

/** A node that serves. */
export interface ServingNode {
  readonly ready: ReadyNode;
  readonly node: EnokiNode;
  /** Drains and stops; may be called again. */
  close(): Promise<void>;
}

/**
 * Starts a node from its configuration; it serves when this resolves.
 * @throws EnokiError `ENOKI_PORT_IN_USE`, `ENOKI_DATA_DIR_IN_USE`, `ENOKI_STORAGE_FORMAT`,
 * `ENOKI_UNSUPPORTED` for a naming service that this release does not use yet
 */
export async function serve(
  config: NodeConfig,
  io: { readonly log: LogSink } = { log: process.stderr },
): Promise<ServingNode> {
  if (config.naming !== "memory") {
    throw new EnokiError("ENOKI_UNSUPPORTED", "--naming: this release runs one node, on memory");
  }
  const node = await EnokiNode.start(await settingsOf(config, io.log));
  const { report } = node.launcher;
  return {
    node,
    ready: {
      name: config.name,
      version: packageVersion(),
      functions: node.addresses.functions,
      admin: node.addresses.admin,
      dataDir: config.dataDir,
      pid: process.pid,
      isolation: report.sandboxMissing
        ? `process only (${report.sandboxMissing})`
        : `sandbox, memory by ${report.memoryLimit}`,
    },
    close: () => node.close(),
  };
}

async function settingsOf(config: NodeConfig, log: LogSink): Promise<NodeSettings> {
  return {
    ...NODE_DEFAULTS,
    name: config.name,
    version: packageVersion(),
    dataDir: config.dataDir,
    host: config.host,
    functionPort: config.functionPort,
    adminPort: config.adminPort,
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
    logger: await createLogger(config.logFormat, log),
  };
}
