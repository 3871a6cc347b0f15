import { expect, onTestFinished, test } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";

/** Adds one to `n`, the same in all placements. */
const COUNT = zipFiles({
  "index.js": `import { kv } from "enoki";
export const call = async () => String(await kv.update("n", (n) => (n ?? 0) + 1));
`,
});

/** Where the data lie, and how each replica is. */
async function places({ client }: ClusterNode): Promise<string> {
  const { data, replicas } = await client.keygroups.replicas("count");
  const states = replicas.map(({ node, state }) => `${node} ${state}`);
  return `${data}: ${states.toSorted().join(", ")}`;
}

async function settled(node: ClusterNode, expected: string): Promise<void> {
  await until(expected, async () => (await places(node)) === expected, 30_000).catch(
    async (error: unknown) => {
      throw new Error(`${String(error)}: ${await places(node)}`);
    },
  );
}

/** Calls without a pause from several clients, until it is stopped; every answer is kept. */
function load(node: ClusterNode, clients: number) {
  const acknowledged: number[] = [];
  const failures: string[] = [];
  const over = new AbortController();
  const one = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await send(node.functionsUrl, "/count", { body: "" });
      if (answer.status === 200) acknowledged.push(Number(answer.text));
      else failures.push(`${answer.status}: ${answer.text}`);
    }
  };
  const running = Promise.all(Array.from({ length: clients }, one));
  return {
    acknowledged,
    failures,
    /** Resolves once some more calls were answered. */
    goesOn: async (): Promise<void> => {
      const before = acknowledged.length;
      await until("calls go on", () => acknowledged.length > before + 20);
    },
    stop: async (): Promise<void> => {
      over.abort();
      await running;
    },
  };
}

test("the same function runs on its replica, on a peer edge's and on the cloud's, moved live under load", async () => {
  const cluster = await startNodes(["cloud", "edge1", "edge2"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  await edge1.client.functions.deploy("count", COUNT);
  await settled(edge2, "replicate: edge1 serving");
  const calls = load(edge1, 4);
  await calls.goesOn();

  // Each of the three placements of the paper, asked of a node that has no part in it.
  await cloud.client.keygroups.move("count", "at:edge2");
  await settled(cloud, "at:edge2: edge2 serving");
  await calls.goesOn();
  await edge1.client.keygroups.move("count", "at:cloud");
  await settled(edge2, "at:cloud: cloud serving");
  await calls.goesOn();
  await edge2.client.keygroups.move("count", "replicate");
  await settled(edge1, "replicate: cloud serving, edge1 serving");
  await calls.goesOn();
  await calls.stop();

  expect(calls.failures).toEqual([]);
  // Nobody else writes, so what was answered counts every call once: none was lost, none done twice.
  const counts = calls.acknowledged.toSorted((a, b) => a - b);
  expect(counts).toEqual(counts.map((_, at) => at + 1));
  const total = counts.length;
  await until("cloud has all", async () => {
    return (await cloud.client.kv("count").get("n")) === total;
  });
});

test("a deploy places its data elsewhere, and another placement is only taken by a move", async () => {
  const cluster = await startNodes(["cloud", "edge1"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1] = cluster.nodes as [ClusterNode, ClusterNode];
  await edge1.client.functions.deploy("count", COUNT, {}, { data: "at:cloud" });
  await settled(edge1, "at:cloud: cloud serving");
  expect((await edge1.client.call("count")).text()).toBe("1");
  expect(await cloud.client.kv("count").get("n")).toBe(1);
  await edge1.client.functions.deploy("count", COUNT, {}, { data: "at:cloud" });
  await expect(
    edge1.client.functions.deploy("count", COUNT, {}, { data: "replicate" }),
  ).rejects.toMatchObject({ code: "ENOKI_PLACEMENT_CONFLICT" });
  await expect(cloud.client.keygroups.addReplica("count", "edge1")).rejects.toMatchObject({
    code: "ENOKI_PLACEMENT_CONFLICT",
  });
  await expect(cloud.client.keygroups.move("count", "at:nowhere")).rejects.toMatchObject({
    code: "ENOKI_NODE_NOT_FOUND",
  });
  const made = await edge1.client.keygroups.create("shared", { data: "at:cloud", ttl: "7d" });
  expect(made).toMatchObject({ members: ["cloud"], ttl: "7d", keys: 0 });
});
