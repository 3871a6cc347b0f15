import { setTimeout as delay } from "node:timers/promises";

import type { Client, FunctionConfig, KeygroupSettings } from "../client/index.js";

/** A function on several nodes. */
export interface Deployment {
  /** Its name and that of its keygroup. */
  readonly name: string;
  /** The folder with its code. */
  readonly folder: string;
  /** The nodes that run it. */
  readonly nodes: readonly [string, ...string[]];
  /** Where its data lie: `replicate` = on the nodes that run it, or `at:NODE`. */
  readonly data: string;
  readonly config?: FunctionConfig;
  /** Of its keygroup. */
  readonly keygroup?: KeygroupSettings;
}

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

/**
 * Deploys by a node; waits until every node runs it and the data are where they should be. `store`: stores
 * data meanwhile, as soon as there is a keygroup for them.
 */
export async function deploy(
  client: Client,
  deployment: Deployment,
  store?: () => Promise<void>,
): Promise<void> {
  const { name, folder, nodes, data, config, keygroup } = deployment;
  await client.keygroups.create(name, { ...keygroup, data });
  await Promise.all([
    client.functions.deploy(name, folder, config, { to: nodes.join(",") }),
    store?.(),
  ]);
  const endMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const missing = await missingOf(client, deployment);
    if (missing === undefined) return;
    if (performance.now() > endMs) throw new Error(`${name} did not get ready: ${missing}`);
    await delay(POLL_MS);
  }
}

/** Removes a function, and its data on all nodes. */
export async function remove(client: Client, name: string): Promise<void> {
  await client.functions.remove(name, { data: "delete" });
}

/** What is not there yet, in words; `undefined` = nothing. */
async function missingOf(
  client: Client,
  { name, nodes, data }: Deployment,
): Promise<string | undefined> {
  const { nodes: states = [] } = await client.functions.get(name);
  for (const node of nodes) {
    const found = states.find((one) => one.node === node);
    if (found?.state !== "ready") return `${node} is ${found?.state ?? "not told of"}`;
  }
  const wanted = data.startsWith("at:") ? [data.slice("at:".length)] : nodes;
  const { replicas } = await client.keygroups.replicas(name);
  const isServing = (node: string): boolean =>
    replicas.some((replica) => replica.node === node && replica.state === "serving");
  const serving = wanted.filter(isServing);
  if (serving.length === wanted.length && replicas.length === wanted.length) return undefined;
  return `data lie at ${replicas.map(({ node, state }) => `${node} (${state})`).join(", ")}`;
}
