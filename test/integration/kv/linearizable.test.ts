import { afterAll, beforeAll, expect, test } from "vitest";

import { findViolations, type Operation } from "../../helpers/linearizability.js";
import { withLostUpdate, withStaleRead } from "../../helpers/planted-faults.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { work } from "./drivers/worker.js";
import { callWorker, deployWorker, type Language } from "./worker-functions.js";

const KEYS = ["a", "b", "c"];
const INSTANCES = 8;
/** Outsiders who use the same keygroup over REST meanwhile. */
const REST_CLIENTS = 3;
const CALLS_PER_INSTANCE = 10;
const OPERATIONS_PER_CALL = 60;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode();
});
afterAll(() => running?.remove());

/** Everything that 8 instances and some REST clients did with 3 keys at the same time. */
async function recordHistory(name: string): Promise<{
  history: Operation[];
  instances: number;
}> {
  const instances = new Set<string>();
  const history: Operation[] = [];
  let seed = 1;
  const caller = async (): Promise<void> => {
    for (let n = 0; n < CALLS_PER_INSTANCE; n++) {
      const worked = await callWorker(running, name, {
        do: "history",
        seed: seed++,
        count: OPERATIONS_PER_CALL,
        keys: KEYS,
        ...(n === 0 ? { together: INSTANCES, round: "history" } : {}),
      });
      instances.add(worked.instance);
      history.push(...(worked.history ?? []));
    }
  };
  const client = async (): Promise<void> => {
    const job = { do: "history", seed: seed++, count: OPERATIONS_PER_CALL, keys: KEYS } as const;
    history.push(...(await work(running.client.kv(name), job)));
  };
  await Promise.all([
    ...Array.from({ length: INSTANCES }, caller),
    ...Array.from({ length: REST_CLIENTS }, client),
  ]);
  return { history, instances: instances.size };
}

test.each(["python", "node"] as const)(
  "what 8 %s instances and REST clients see of 3 keys could have happened one after the other",
  async (language: Language) => {
    const name = `history-${language}`;
    await deployWorker(running, name, language, { maxInstances: INSTANCES, concurrency: 1 });
    const { history, instances } = await recordHistory(name);
    expect(instances).toBe(INSTANCES);
    expect(history.length).toBe(
      (INSTANCES * CALLS_PER_INSTANCE + REST_CLIENTS) * OPERATIONS_PER_CALL,
    );
    expect(findViolations(history)).toEqual([]);
    // The same checker finds a fault that is planted into this very history.
    expect(findViolations(withStaleRead(history) as Operation[])).toHaveLength(1);
    expect(findViolations(withLostUpdate(history) as Operation[])).toHaveLength(1);
  },
);

test("one node instance that runs 16 calls at once is linearizable too", async () => {
  await deployWorker(running, "shared", "node", { maxInstances: 1, concurrency: 16 });
  const jobs = Array.from({ length: 16 }, (_, seed) =>
    callWorker(running, "shared", { do: "history", seed: seed + 1, count: 60, keys: KEYS }),
  );
  const history = (await Promise.all(jobs)).flatMap((worked) => worked.history ?? []);
  expect(history).toHaveLength(16 * 60);
  expect(findViolations(history)).toEqual([]);
});
