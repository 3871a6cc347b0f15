import { expect, onTestFinished, test } from "vitest";

import { send, until } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";
import { deploy, reads } from "./store-function.js";

test("what a function wrote on one node is explained on another, by node and invocation", async () => {
  const cluster = await startNodes(["cloud", "edge1"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1] = cluster.nodes as [ClusterNode, ClusterNode];
  await deploy(edge1);
  await deploy(cloud);
  const answer = await send(edge1.functionsUrl, "/store", { body: "k=v" });
  await reads(cloud, "k", "v");
  const explained = await cloud.client.kv("store").explain("k");
  expect(explained.versions).toMatchObject([
    { node: "edge1", invocation: answer.headers["enoki-invocation-id"], type: "str" },
  ]);
  expect(explained.replicas).toMatchObject([
    { node: "cloud", state: "same" },
    { node: "edge1", state: "same" },
  ]);
});

test("a keygroup tells of its members over REST and in the metrics", async () => {
  const cluster = await startNodes(["cloud", "edge1"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1] = cluster.nodes as [ClusterNode, ClusterNode];
  await deploy(edge1);
  await deploy(cloud);
  await edge1.client.kv("store").set("k", "v");
  await reads(cloud, "k", "v");
  await until("everything is everywhere", async () => {
    return (await cloud.client.keygroups.get("store")).replication?.everywhere;
  });
  const { replication } = await cloud.client.keygroups.get("store");
  expect(replication).toMatchObject({ generation: 1, epoch: 2, unreplicated: 0 });
  expect(replication?.members).toMatchObject([
    { node: "edge1", here: false, present: true, state: "serving", peer: { lagUpdates: 0 } },
    { node: "cloud", here: true, present: true, state: "serving" },
  ]);
  // A list is cheap: it asks nobody.
  expect((await cloud.client.keygroups.list())[0]?.replication).toBeUndefined();
  const { text } = await send(cloud.adminUrl, "/metrics");
  expect(text).toContain('enoki_everywhere{keygroup="store"} 1');
  expect(text).toContain('enoki_replica_linked{keygroup="store",node="edge1"} 1');
  for (const name of ["lag_seconds", "outbox_bytes", "staleness_bound_seconds"]) {
    expect(text).toMatch(
      new RegExp(`enoki_replica_${name}\\{keygroup="store",node="edge1"\\} \\d`),
    );
  }
});
