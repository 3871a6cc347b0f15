import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

import { EnokiError } from "../core/errors.js";
import type { Client } from "../client/client.js";
import { durationMs } from "../client/options.js";
import type { FunctionInfo, FunctionNodeInfo } from "../client/types.js";
import { write, type Io } from "./io.js";

const WAIT_MS = 30_000;
const POLL_MS = 200;

/** A node of a function in words. */
export function stateOf({ state, present, reason }: FunctionNodeInfo): string {
  if (state !== "pending") return reason === undefined ? state : `${state}: ${reason}`;
  return present ? `pending: ${reason ?? "on its way"}` : "pending: absent, follows by itself";
}

/**
 * Waits until a function is ready on all its nodes or has failed there, with a line for each as it
 * comes. Nodes that are absent are only waited for if `wait` is said.
 */
export async function waitForNodes(
  client: Client,
  io: Io,
  deployed: FunctionInfo,
  wait: string | undefined,
): Promise<FunctionInfo> {
  const told = new Set<string>();
  const tell = async (node: FunctionNodeInfo): Promise<void> => {
    if (!told.has(node.node)) await write(io.stderr, `${node.node}: ${stateOf(node)}\n`);
    told.add(node.node);
  };
  const endMs = performance.now() + (wait === undefined ? WAIT_MS : durationMs("wait", wait));
  for (let info = deployed; ; info = await client.functions.get(deployed.name)) {
    const nodes = info.nodes ?? [];
    const settled = nodes.filter(({ state, present }) => {
      return state !== "pending" || (wait === undefined && !present);
    });
    const isOver = settled.length === nodes.length || performance.now() >= endMs;
    for (const node of isOver ? nodes : settled) await tell(node);
    if (isOver) return info;
    await pause(POLL_MS);
  }
}

/** @throws EnokiError `ENOKI_DEPLOY_INCOMPLETE` unless all nodes are ready */
export function requireReady({ name, nodes = [] }: FunctionInfo): void {
  const missing = nodes.filter(({ state }) => state !== "ready");
  if (missing.length === 0) return;
  const where = missing.map((node) => `${node.node} ${node.state}`).join(", ");
  throw new EnokiError("ENOKI_DEPLOY_INCOMPLETE", `${name} is not ready on all nodes: ${where}`);
}
