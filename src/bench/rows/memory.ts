import { setTimeout as delay } from "node:timers/promises";

import type { Client } from "../../client/index.js";
import { measureMemory, whenQuiet, type MeasuredMemory } from "../process-tree.js";
import type { Isolation, Measurement } from "../results.js";
import { functionFolder, startNode, type BenchNode } from "../servers.js";
import type { RowContext } from "./context.js";

/** Functions deployed, half of them in JavaScript and half in Python. */
const FUNCTIONS = 20;
/** The node stops unused warm processes after 60 s; a little more to let them end. */
const POOLS_IDLE_MS = 62_000;
/** The node stops instances that had no call for 30 s, and looks every 30 s. */
const INSTANCES_STOP_TIMEOUT_MS = 90_000;
const POLL_MS = 500;

const TARGETS = {
  idle: { when: "instances stopped", maxMb: 140 },
  shrunk: { when: "60 s idle, pools shrunk", maxMb: 90 },
} as const;

/**
 * Deploys 20 functions, calls each once, and measures the memory of all the node's processes when
 * the instances have been stopped and again when the warm pools have.
 */
export async function measureIdleMemory(context: RowContext): Promise<Measurement[]> {
  const found: Measurement[] = [];
  for (const isolation of context.isolations) {
    const node = await startNode(context.resources);
    const { client, pid } = node;
    context.progress(`memory, ${isolation}: deploying ${FUNCTIONS} functions`);
    await useFunctions(client, isolation);
    const lastCallMs = performance.now();
    context.progress(`memory, ${isolation}: waiting until the instances have stopped`);
    await whenInstancesStopped(client);
    await whenQuiet(pid);
    found.push(measurementOf("idle", isolation, measureMemory(pid)));
    context.progress(`memory, ${isolation}: waiting until the pools have shrunk`);
    await delay(Math.max(0, lastCallMs + POOLS_IDLE_MS - performance.now()));
    await whenQuiet(pid);
    const shrunk = measureMemory(pid);
    await node.stop();
    found.push(measurementOf("shrunk", isolation, shrunk, await restartAndMeasure(context, node)));
  }
  return found;
}

/** What a node needs that has the same functions, but has neither built nor run any of them. */
async function restartAndMeasure(
  { resources }: RowContext,
  { dataDir }: BenchNode,
): Promise<MeasuredMemory> {
  const node = await startNode(resources, { dataDir });
  await whenQuiet(node.pid);
  const memory = measureMemory(node.pid);
  await node.stop();
  return memory;
}

async function useFunctions(client: Client, isolation: Isolation): Promise<void> {
  for (let i = 0; i < FUNCTIONS; i++) {
    const language = i % 2 === 0 ? "js" : "python";
    const name = `idle-${language}-${i}`;
    const folder = functionFolder(`bench/functions/no-op-${language}`);
    await client.functions.deploy(name, folder, { isolation });
    await client.call(name, "", {});
  }
}

async function whenInstancesStopped(client: Client): Promise<void> {
  const endMs = performance.now() + INSTANCES_STOP_TIMEOUT_MS;
  while (performance.now() < endMs) {
    const functions = await client.functions.list();
    if (functions.every(({ status }) => status.instances === 0)) return;
    await delay(POLL_MS);
  }
  throw new Error("idle instances were not stopped");
}

function measurementOf(
  state: keyof typeof TARGETS,
  isolation: Isolation,
  memory: MeasuredMemory,
  restarted?: MeasuredMemory,
): Measurement {
  const { when, maxMb } = TARGETS[state];
  const sumMb = megabytes(memory.pssBytes);
  const largest = memory.processes.filter(({ pssBytes }) => pssBytes >= 1e6);
  const parts = largest.map(
    ({ command, pssBytes }) => `${roleOf(command)} ${megabytes(pssBytes).toFixed(0)}`,
  );
  const notes = [
    parts.join(" + "),
    `no other Node here: ${megabytes(memory.aloneBytes).toFixed(0)}`,
  ];
  if (restarted) notes.push(`node started anew: ${megabytes(restarted.pssBytes).toFixed(0)}`);
  return {
    row: "memory",
    title: `${FUNCTIONS} functions, ${when}`,
    isolation,
    unit: "MB",
    value: { median: sumMb, min: sumMb, max: sumMb },
    target: { atMost: maxMb },
    note: notes.join("; "),
    figures: { memory, restarted },
  };
}

/** What a process is for, from its command line. */
export function roleOf(command: string): string {
  if (command.includes("--fork-server")) return "fork server";
  if (/(?:^|\/)bwrap /.test(command)) return "bubblewrap";
  if (command.includes("/cli/main.js up ")) return "node";
  if (command.includes("guest/main")) return "Node guest";
  if (command.includes("main.py")) return "Python guest";
  if (command.includes("esbuild")) return "esbuild";
  return command.split(" ")[0] || "other";
}

function megabytes(bytes: number): number {
  return bytes / 1e6;
}
