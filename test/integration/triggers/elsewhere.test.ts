import { afterAll, beforeAll, expect, test } from "vitest";

import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";

/** Writes what it listens to, sixteen times at most. */
const LOOP = `
import { kv } from "enoki";
export async function call(input) {
  await kv.set("turns/" + Math.random(), input.key ?? input);
}
`;

let nodes: DistantNodes;
let edge: DistantNode;
let cloud: DistantNode;

/** What runs on edge has its data on cloud. */
beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  const triggers = [{ on: "keygroup:loop/turns/" }];
  const archive = zipFiles({ "index.mjs": LOOP });
  await edge.client.functions.deploy("loop", archive, { triggers }, { data: "at:cloud" });
});
afterAll(() => nodes?.remove());

test("what is written for a function on another node is told where it is committed, with its depth", async () => {
  await until("the cloud has heard of the trigger", async () => {
    await send(edge.functionsUrl, "/loop", { body: "begin" });
    const [letter] = await cloud.client.invocations.list({ function: "loop", state: "dead" });
    return letter?.lastError?.code === "ENOKI_TRIGGER_LOOP";
  });
  const turns = [];
  for await (const key of cloud.client.kv("loop").keys({ prefix: "turns/" })) turns.push(key);
  expect(turns.length).toBeGreaterThanOrEqual(17);
});
