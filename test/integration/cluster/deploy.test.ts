import { expect, onTestFinished, test, vi } from "vitest";

import { zipFiles } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";

const source = (text: string) => zipFiles({ "index.mjs": `export const call = () => ${text};\n` });

async function answers(node: ClusterNode, text: string): Promise<void> {
  await vi.waitFor(async () => expect((await node.client.call("hello")).text()).toBe(text), {
    timeout: 30_000,
    interval: 100,
  });
}

async function rows(node: ClusterNode): Promise<unknown> {
  const { nodes } = await node.client.functions.get("hello");
  return nodes?.map(({ node: name, state, revision }) => `${name} ${state} ${revision}`);
}

async function shows(node: ClusterNode, expected: readonly string[]): Promise<void> {
  await vi.waitFor(async () => expect(await rows(node)).toEqual(expected), {
    timeout: 30_000,
    interval: 100,
  });
}

test("a function that is deployed to all nodes runs on all, and so does whatever comes next", async () => {
  const cluster = await startNodes(["cloud", "edge1", "edge2"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  await edge1.client.functions.deploy("hello", source("'one'"), {}, { to: "all" });
  for (const node of cluster.nodes) await answers(node, "one");
  await shows(cloud, ["cloud ready 1", "edge1 ready 1", "edge2 ready 1"]);
  // A broken one reaches nobody.
  await expect(
    edge2.client.functions.deploy("hello", source("'x'; throw new Error('broken')")),
  ).rejects.toMatchObject({ code: "ENOKI_LOAD_FAILED" });
  for (const node of cluster.nodes) await answers(node, "one");
  await edge2.client.functions.deploy("hello", source("'two'"));
  for (const node of cluster.nodes) await answers(node, "two");
  await cloud.client.functions.rollback("hello");
  for (const node of cluster.nodes) await answers(node, "one");
  await shows(edge1, ["cloud ready 1", "edge1 ready 1", "edge2 ready 1"]);
  await edge1.client.functions.remove("hello");
  for (const node of cluster.nodes) {
    await vi.waitFor(async () => {
      await expect(node.client.call("hello")).rejects.toMatchObject({
        code: "ENOKI_FUNCTION_NOT_FOUND",
      });
    }, 30_000);
  }
});

test("a node that is named and absent follows by itself when it comes, and goes on after a restart", async () => {
  const first = await startNodes(["edge1"], {});
  await first.close();
  const cluster = await startNodes(["edge1", "edge2"], { dataDir: first.dataDir });
  const [edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode];
  await edge1.client.functions.deploy("hello", source("'one'"), {}, { to: "edge1,edge2,edge3" });
  await answers(edge2, "one");
  await shows(edge1, ["edge1 ready 1", "edge2 ready 1", "edge3 pending null"]);
  await cluster.close();
  const again = await startNodes(["edge1", "edge2", "edge3"], { dataDir: first.dataDir });
  onTestFinished(() => again.remove());
  for (const node of again.nodes) await answers(node, "one");
  await shows(again.nodes[0] as ClusterNode, ["edge1 ready 1", "edge2 ready 1", "edge3 ready 1"]);
});
