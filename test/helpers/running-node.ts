import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type Client } from "../../src/client/index.js";
import { EnokiNode } from "../../dist/node/node.js";
import { NODE_DEFAULTS, type NodeSettings } from "../../dist/node/node-settings.js";

/** A node in this process, with real stores, sockets and guest processes. */
export interface RunningNode {
  readonly node: EnokiNode;
  readonly functionsUrl: string;
  readonly adminUrl: string;
  readonly client: Client;
  readonly dataDir: string;
  /** Stops the node and starts another on the same directory. */
  restart(overrides?: Partial<NodeSettings>): Promise<RunningNode>;
  /** Stops the node and removes its directory. */
  remove(): Promise<void>;
}

/** Starts a node on free ports and a directory of its own. Needs `npm run build`. */
export async function startNode(overrides: Partial<NodeSettings> = {}): Promise<RunningNode> {
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), "enoki-node-")));
  const node = await EnokiNode.start({
    ...NODE_DEFAULTS,
    name: "test",
    version: "0.0.0",
    dataDir,
    host: "127.0.0.1",
    functionPort: 0,
    adminPort: 0,
    storage: "lmdb",
    adminToken: undefined,
    functionsNeedToken: false,
    allowUploadUrl: false,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    ...overrides,
  });
  const { functions, admin } = node.addresses;
  return {
    node,
    functionsUrl: functions ?? "",
    adminUrl: admin ?? "",
    client: connect(admin ?? ""),
    dataDir,
    restart: async (next = {}) => {
      await node.close();
      return startNode({ ...overrides, ...next, dataDir });
    },
    remove: async () => {
      await node.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Settings of functions that run without a sandbox, for machines and tests without bubblewrap. */
export const PROCESS_ISOLATION = {
  functionDefaults: { ...NODE_DEFAULTS.functionDefaults, isolation: "process" },
} as const satisfies Partial<NodeSettings>;
