import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { KeygroupOperations } from "../../../dist/keygroups/operation-server.js";
import { OPERATION } from "../../../src/channel/frames.js";
import { operationKind } from "../../../src/channel/operations.js";
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

/** How many values the node was asked for over channels; counted at once, since frames share memory. */
let getsServed = 0;
const { serve } = KeygroupOperations.prototype;
vi.spyOn(KeygroupOperations.prototype, "serve").mockImplementation(function (
  this: KeygroupOperations,
  ...operation
) {
  if (operationKind(operation[3]) === OPERATION.get) getsServed += 1;
  return serve.apply(this, operation);
});

beforeAll(async () => {
  running = await startNode();
});
afterAll(() => running?.remove());

/** Everything that 8 instances and some REST clients did with 3 keys at the same time. */
async function recordHistory(
  keygroup: string,
  functions: readonly string[] = [keygroup],
): Promise<{
  history: Operation[];
  instances: number;
  /** How often each function called `get`. */
  gets: Readonly<Record<string, number>>;
}> {
  const instances = new Set<string>();
  const gets: Record<string, number> = {};
  const history: Operation[] = [];
  let seed = 1;
  const caller = async (index: number): Promise<void> => {
    const name = functions[index % functions.length] as string;
    for (let n = 0; n < CALLS_PER_INSTANCE; n++) {
      const worked = await callWorker(running, name, {
        do: "history",
        seed: seed++,
        count: OPERATIONS_PER_CALL,
        keys: KEYS,
        ...(name === keygroup ? {} : { keygroup }),
        ...(n === 0 ? { together: INSTANCES, round: "history" } : {}),
      });
      instances.add(worked.instance);
      const done = worked.history ?? [];
      history.push(...done);
      gets[name] = (gets[name] ?? 0) + done.filter(({ op }) => op === "get").length;
    }
  };
  const client = async (): Promise<void> => {
    const job = { do: "history", seed: seed++, count: OPERATIONS_PER_CALL, keys: KEYS } as const;
    history.push(...(await work(running.client.kv(keygroup), job)));
  };
  await Promise.all([
    ...Array.from({ length: INSTANCES }, (_, index) => caller(index)),
    ...Array.from({ length: REST_CLIENTS }, client),
  ]);
  return { history, instances: instances.size, gets };
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

test("what 4 Node instances see of their own keygroup and 4 Python instances by grant could have happened one after the other", async () => {
  const [name, other] = ["node-owns", "python-is-granted"];
  const half = { maxInstances: INSTANCES / 2, concurrency: 1 };
  await deployWorker(running, name, "node", half);
  await deployWorker(running, other, "python", half);
  await running.client.keygroups.grant(name, `function:${other}`, ["read", "write"]);
  getsServed = 0;
  const { history, instances, gets } = await recordHistory(name, [name, other]);
  expect(instances).toBe(INSTANCES);
  expect(history).toHaveLength(
    (INSTANCES * CALLS_PER_INSTANCE + REST_CLIENTS) * OPERATIONS_PER_CALL,
  );
  expect(findViolations(history)).toEqual([]);
  expect(findViolations(withStaleRead(history) as Operation[])).toHaveLength(1);
  // Python asks the node here; Node reads its own keygroup in place unless a key expires or is gone.
  const [byNode = 0, byPython = 0] = [gets[name], gets[other]];
  expect(Math.min(byNode, byPython)).toBeGreaterThan(OPERATIONS_PER_CALL);
  expect(getsServed).toBeGreaterThanOrEqual(byPython);
  expect(getsServed - byPython).toBeLessThan((3 / 4) * byNode);
});

test("one node instance that runs 16 calls at once is linearizable too", async () => {
  await deployWorker(running, "shared", "node", { maxInstances: 1, concurrency: 16 });
  const jobs = Array.from({ length: 16 }, (_, seed) =>
    callWorker(running, "shared", { do: "history", seed: seed + 1, count: 60, keys: KEYS }),
  );
  const history = (await Promise.all(jobs)).flatMap((worked) => worked.history ?? []);
  expect(history).toHaveLength(16 * 60);
  expect(findViolations(history)).toEqual([]);
});
