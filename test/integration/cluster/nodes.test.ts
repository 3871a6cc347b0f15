import { expect, onTestFinished, test } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";

/** Sets `key=value`, or gets `key`: whatever the function's keygroup holds here. */
const FUNCTION = zipFiles({
  "index.js": `import { kv } from "enoki";
export async function call(input) {
  const [key, value] = input.split("=");
  if (value !== undefined) { await kv.set(key, value); return "set"; }
  return (await kv.get(key)) ?? "missing";
}
`,
});

async function call(node: ClusterNode, input: string): Promise<string> {
  const answer = await send(node.functionsUrl, "/store", { body: input });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.text;
}

async function deploy(node: ClusterNode): Promise<void> {
  await node.client.functions.deploy("store", FUNCTION, {});
}

async function reads(node: ClusterNode, key: string, value: string): Promise<void> {
  await until(`${key} at ${node.name}`, async () => (await call(node, key)) === value);
}

test("a function on two nodes reads on each what was written on the other", async () => {
  const cluster = await startNodes(["cloud", "edge1", "edge2"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1, edge2] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  await deploy(edge1);
  await call(edge1, "a=1");
  await deploy(edge2);
  expect(await call(edge2, "a")).toBe("1");
  await call(edge2, "b=2");
  await reads(edge1, "b", "2");
  await deploy(cloud);
  expect(await call(cloud, "a")).toBe("1");
  await call(cloud, "a=3");
  await reads(edge1, "a", "3");
  await reads(edge2, "a", "3");
});
