import { functionFolder, type BenchNode } from "../../servers.js";

/** The function whose calls are timed, and the one that it calls. */
export const CALLER = "caller";
export const TARGET = "target";

/** What the caller is to do, and how often. */
export interface CallerWork {
  readonly what: "call" | "gateway" | "set" | "send";
  readonly count: number;
  /** How many at once; 1 unless said. */
  readonly width?: number;
}

/** Deploys the caller on one node and what it calls on another, or the same. */
export async function deployCaller(node: BenchNode, targetNode: BenchNode = node): Promise<void> {
  const isolation = "process";
  await targetNode.client.functions.deploy(TARGET, functionFolder("bench/functions/no-op-js"), {
    isolation,
  });
  await node.client.functions.deploy(CALLER, functionFolder("bench/functions/caller-js"), {
    isolation,
    maxInstances: 1,
    timeout: "5m",
  });
}

/** Lets the caller work; resolves with how long each piece took, in ms. */
export async function letWork(node: BenchNode, work: CallerWork): Promise<number[]> {
  const url = `${node.functionsUrl}/${TARGET}`;
  const asked = JSON.stringify({ ...work, target: TARGET, url });
  const headers = { "content-type": "application/json" };
  const answer = await node.client.call(CALLER, asked, { method: "POST", headers });
  return answer.json() as number[];
}
