import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadConfig } from "../../dist/node/config.js";
import { serve, type ReadyNode } from "../../dist/node/serve.js";
import { connect, type Client } from "../../src/client/index.js";

/** One node of a cluster under test, wherever it runs. */
export interface ClusterNode {
  readonly name: string;
  readonly client: Client;
  readonly functionsUrl: string;
  readonly adminUrl: string;
}

/** Several nodes in this process, as `enoki up --nodes` starts them. */
export interface RunningCluster {
  readonly nodes: readonly ClusterNode[];
  readonly dataDir: string;
  readonly log: () => string;
  close(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts nodes of those names on free ports. Needs `npm run build`. */
export async function startNodes(
  names: readonly string[],
  options: { readonly dataDir?: string; readonly flags?: Readonly<Record<string, string>> } = {},
): Promise<RunningCluster> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "enoki-nodes-")));
  const flags = {
    nodes: names.join(","),
    dataDir,
    functionPort: "0",
    adminPort: "0",
    isolation: "process",
    ...options.flags,
  };
  const config = await loadConfig({ flags, env: {}, readFile: () => Promise.reject() });
  let log = "";
  const serving = await serve(config, { log: { write: (line) => (log += line) } });
  return {
    nodes: (serving.ready.nodes ?? []).map(nodeOf),
    dataDir,
    log: () => log,
    close: () => serving.close(),
    remove: async () => {
      await serving.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A node from its ready line. */
export function nodeOf({ name, functions, admin }: ReadyNode): ClusterNode {
  return {
    name,
    client: connect(admin ?? ""),
    functionsUrl: functions ?? "",
    adminUrl: admin ?? "",
  };
}
