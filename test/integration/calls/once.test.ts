import { afterAll, beforeAll, expect, test } from "vitest";

import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";

/** Pays once per idempotency key, and says so in the same commit. */
const PAY = `
import { kv } from "enoki";
export async function call(input, ctx) {
  const batch = kv.batch().increment("paid").send("receipt", ctx.idempotencyKey);
  const { versions, repeated } = await batch.once(ctx.idempotencyKey).commit();
  return { versions, repeated };
}
`;
const RECEIPT = `
import { kv } from "enoki";
export const call = (key) => kv.increment("receipts/" + key);
`;

let nodes: DistantNodes;
let cloud: DistantNode;
let edge: DistantNode;

beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  for (const { client } of [cloud, edge]) {
    await client.functions.deploy("pay", zipFiles({ "index.mjs": PAY }), {});
    await client.functions.deploy("receipt", zipFiles({ "index.mjs": RECEIPT }), {});
  }
});
afterAll(() => nodes?.remove());

async function pay({ functionsUrl }: DistantNode, key: string, session?: string) {
  const headers = { "idempotency-key": key, ...(session && { "enoki-session": session }) };
  const answer = await send(functionsUrl, "/pay", { method: "POST", headers });
  const body = JSON.parse(answer.text) as { versions: string[]; repeated: boolean };
  return { ...body, session: answer.headers["enoki-session"] as string };
}

const paidOn = ({ client }: DistantNode) => client.kv("pay").get("paid");
const receipts = (key: string) => cloud.client.kv("receipt").get(`receipts/${key}`, 0);

test("a repeat on another node that has the first changes nothing, sends nothing and gives its result", async () => {
  const first = await pay(cloud, "order-1");
  const again = await pay(edge, "order-1", first.session);
  expect([first.repeated, again.repeated]).toEqual([false, true]);
  expect(again.versions).toEqual(first.versions);
  expect(await paidOn(edge)).toBe(1);
  await until("the receipt is there", async () => (await receipts("order-1")) === 1);
});

test("a repeat on a node that has not received the first yet takes effect again", async () => {
  nodes.each((proxy) => proxy.cut());
  await until("the link is down", () => edge.node.cluster?.links.peers().length === 0);
  expect((await pay(cloud, "order-2")).repeated).toBe(false);
  expect((await pay(edge, "order-2")).repeated).toBe(false);
  nodes.each((proxy) => proxy.heal());
  for (const node of [cloud, edge]) {
    await until("both are counted", async () => (await paidOn(node)) === 3);
  }
  expect((await pay(edge, "order-2")).repeated).toBe(true);
});
