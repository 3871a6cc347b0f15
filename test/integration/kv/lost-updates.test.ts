import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startNode, type RunningNode } from "../../helpers/running-node.js";
import type { Job } from "./drivers/worker.js";
import { callWorker, deployWorker, type Language } from "./worker-functions.js";

const INSTANCES = 4;
const CALLS = 64;
const TIMES = 5;

/** Python runs one call per instance; a node instance runs so many. */
const CONCURRENCY: Readonly<Record<Language, number>> = { python: 1, node: CALLS / INSTANCES };

let running: RunningNode;

beforeAll(async () => {
  running = await startNode();
  for (const language of ["python", "node"] as const) {
    const concurrency = CONCURRENCY[language];
    await deployWorker(running, language, language, { maxInstances: INSTANCES, concurrency });
  }
});
afterAll(() => running?.remove());

/** Makes 64 calls at once; the first ones wait until all instances are at work. */
async function load(name: Language, change: Job["do"]): Promise<number> {
  const together = INSTANCES * CONCURRENCY[name];
  const job = { do: change, times: TIMES, together, round: change } as Job;
  const calls = Array.from({ length: CALLS }, () => callWorker(running, name, job));
  return new Set((await Promise.all(calls)).map(({ instance }) => instance)).size;
}

describe.each(["python", "node"] as const)("64 invocations over 4 %s instances", (language) => {
  test("lose no update", async () => {
    expect(await load(language, "update")).toBe(INSTANCES);
    expect(await running.client.kv(language).get("updated")).toBe(CALLS * TIMES);
  });

  test("lose no increment", async () => {
    expect(await load(language, "increment")).toBe(INSTANCES);
    expect(await running.client.kv(language).get("incremented")).toBe(CALLS * TIMES);
  });

  test("lose writes when they get and then set, as Listing 1 does", async () => {
    expect(await load(language, "careless")).toBe(INSTANCES);
    const kept = await running.client.kv(language).get<number>("careless");
    expect(kept).toBeGreaterThanOrEqual(TIMES);
    expect(kept).toBeLessThan(CALLS * TIMES);
  });
});
