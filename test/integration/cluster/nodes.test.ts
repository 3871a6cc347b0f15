import { expect, onTestFinished, test } from "vitest";

import { send } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";
import { call, deploy, reads, STORE_FILES } from "./store-function.js";
import { zipFiles } from "../../helpers/node-calls.js";

test("a function on several nodes reads on each what was written on another", async () => {
  const cluster = await startNodes(["cloud", "edge1", "edge2"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  await deploy(edge1);
  await call(edge1, "a=1");
  // The replica has caught up before the deploy is over.
  await deploy(edge2);
  expect(await call(edge2, "a")).toBe("1");
  await call(edge2, "b=2");
  await reads(edge1, "b", "2");
  await deploy(cloud);
  await call(cloud, "a=3");
  for (const node of [edge1, edge2]) await reads(node, "a", "3");
});

test("/upload on one node and then on another, and nothing else, joins the keygroup", async () => {
  const cluster = await startNodes(["edge1", "edge2"]);
  onTestFinished(() => cluster.remove());
  const [edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode];
  const zip = zipFiles(STORE_FILES).toString("base64");
  const body = JSON.stringify({ name: "store", env: "node", threads: 1, zip, envs: [] });
  for (const node of [edge1, edge2]) {
    expect(await send(node.adminUrl, "/upload", { body })).toMatchObject({ status: 200 });
  }
  await call(edge1, "from1=x");
  await call(edge2, "from2=y");
  await reads(edge2, "from1", "x");
  await reads(edge1, "from2", "y");
});

test("several nodes of one process take up their data and their parts after a restart", async () => {
  const cluster = await startNodes(["edge1", "edge2"]);
  const [edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode];
  await deploy(edge1);
  await deploy(edge2);
  await call(edge1, "k=before");
  await reads(edge2, "k", "before");
  await cluster.close();
  const again = await startNodes(["edge1", "edge2"], { dataDir: cluster.dataDir });
  onTestFinished(() => again.remove());
  const [one, two] = again.nodes as [ClusterNode, ClusterNode];
  expect(await call(two, "k")).toBe("before");
  await call(two, "k=after");
  await reads(one, "k", "after");
});
