import { afterAll, beforeAll, expect, test } from "vitest";

import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { CALLERS, type Called } from "./functions.js";

const KEEPER = `
import { kv } from "enoki";
export async function call(input, ctx) {
  if (input.sleepMs) await new Promise((resolve) => setTimeout(resolve, input.sleepMs));
  const batch = kv.batch().increment("total");
  if (input.once) batch.once(ctx.idempotencyKey);
  await batch.commit();
  await kv.update("order", (order) => [...(order ?? []), input.n]);
  return "kept " + input.n;
}
`;
/** Sends what it is told, in the commit of a write. */
const BATCHER = `
import { kv } from "enoki";
export async function call({ n, orderKey }) {
  await kv.batch().set("sent", n).send("keeper", { n }, { orderKey }).commit();
}
`;

let nodes: DistantNodes;
let edge: DistantNode;
let cloud: DistantNode;

/** `edge` sends to functions that run on `cloud` alone. */
beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  const caller = zipFiles(CALLERS["node"] as Record<string, string>);
  await edge.client.functions.deploy("caller", caller, {});
  await edge.client.functions.deploy("batcher", zipFiles({ "index.mjs": BATCHER }), {});
  await cloud.client.functions.deploy("keeper", zipFiles({ "index.mjs": KEEPER }), {});
  await until("edge knows of it", async () => (await ask({ n: -1 })).code === undefined);
});
afterAll(() => nodes?.remove());

async function ask(data: object, options: object = {}, name = "keeper"): Promise<Called> {
  const answer = await send(edge.functionsUrl, "/caller", {
    body: JSON.stringify({ verb: "send", name, data, options }),
    headers: { "content-type": "application/json" },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Called;
}

const totalOn = async (): Promise<number> =>
  ((await cloud.client.kv("keeper").get("total")) as number | undefined) ?? 0;
const orderOn = async (): Promise<readonly number[]> =>
  ((await cloud.client.kv("keeper").get("order")) as number[] | undefined) ?? [];
const cut = () => nodes.each((proxy) => proxy.cut());
const heal = () => nodes.each((proxy) => proxy.heal());
const links = () => edge.node.cluster?.links.peers().length;

test("what is sent to a function on another node is delivered, and its result is there on both", async () => {
  const id = (await ask({ n: 1 })).result as string;
  for (const { functionsUrl, client } of [edge, cloud]) {
    const text = await until("it has ended", async () => {
      const answer = await send(functionsUrl, `/_enoki/invocations/${id}`).catch(() => undefined);
      return answer?.status === 200 && answer.text;
    });
    expect(text).toBe("kept 1");
    expect(await client.invocations.get(id)).toMatchObject({ state: "done", tries: 1 });
  }
});

test("what is sent while the link is cut waits for it, in order, with what a batch sends", async () => {
  cut();
  await until("the link is down", () => links() === 0);
  for (let n = 100; n < 120; n += 2) {
    expect((await ask({ n }, { orderKey: "line" })).code).toBeUndefined();
    const body = JSON.stringify({ n: n + 1, orderKey: "other line" });
    const headers = { "content-type": "application/json" };
    expect((await send(edge.functionsUrl, "/batcher", { body, headers })).status).toBe(200);
  }
  const waiting = await edge.client.invocations.list({ state: "queued" });
  expect(waiting).toHaveLength(20);
  expect(waiting.every(({ tries }) => tries === 0)).toBe(true);
  heal();
  const all = await until("all are there", async () => {
    const order = await orderOn();
    return order.includes(118) && order.includes(119) && order;
  });
  const even = all.filter((n) => n >= 100 && n % 2 === 0);
  expect(even).toEqual([...even].sort((a, b) => a - b));
  const odd = all.filter((n) => n >= 100 && n % 2 === 1);
  expect(odd).toEqual([...odd].sort((a, b) => a - b));
  expect([even.length, odd.length]).toEqual([10, 10]);
});

test("what runs while the link breaks is delivered again and runs once", async () => {
  const before = await totalOn();
  const id = (await ask({ n: 200, sleepMs: 1000 })).result as string;
  await until("it runs", () => cloud.node.functions.find("keeper")?.status.running === 1);
  cut();
  await until("the link is down", () => links() === 0);
  heal();
  await until("it has ended", async () => {
    return (await edge.client.invocations.get(id)).state === "done";
  });
  expect(await totalOn()).toBe(before + 1);
  expect((await orderOn()).filter((n) => n === 200)).toEqual([200]);
});

test("and what has ended meanwhile is not run again", async () => {
  const before = await totalOn();
  const id = (await ask({ n: 201, sleepMs: 300 })).result as string;
  await until("it runs", () => cloud.node.functions.find("keeper")?.status.running === 1);
  cut();
  await until("it has run", async () => (await totalOn()) === before + 1);
  await until("its end is stored", async () => {
    return (await cloud.client.invocations.get(id).catch(() => undefined))?.state === "done";
  });
  heal();
  await until("edge knows", async () => (await edge.client.invocations.get(id)).state === "done");
  expect(await totalOn()).toBe(before + 1);
});

test("what is sent to a function that is taken away is a dead letter after its tries, and can be replayed", async () => {
  await cloud.client.functions.deploy("brief", zipFiles({ "index.mjs": KEEPER }), {});
  await until(
    "edge knows of it",
    async () => (await ask({ n: 0 }, {}, "brief")).code === undefined,
  );
  cut();
  await until("the link is down", () => links() === 0);
  const id = (await ask({ n: 300 }, {}, "brief")).result as string;
  await cloud.client.functions.remove("brief");
  heal();
  const dead = await until("it is given up", async () => {
    const shown = await edge.client.invocations.get(id);
    return shown.state === "dead" && shown;
  });
  expect(dead).toMatchObject({ tries: 5, lastError: { code: "ENOKI_FUNCTION_NOT_FOUND" } });
  expect(await ask({ n: 301 }, {}, "brief")).toMatchObject({ code: "ENOKI_FUNCTION_NOT_FOUND" });
  await cloud.client.functions.deploy("brief", zipFiles({ "index.mjs": KEEPER }), {});
  await edge.client.invocations.replay(id);
  await until("it runs", async () => (await edge.client.invocations.get(id)).state === "done");
});
