import { afterAll, beforeAll, expect, test } from "vitest";

import { until, zipFiles } from "../../helpers/node-calls.js";
import { startNodes, type RunningCluster } from "../../helpers/running-cluster.js";

/** Counts the calls of each tick, and those whose key came first. */
const COUNTER = zipFiles({
  "index.mjs": `
import { kv } from "enoki";
export async function call({ tick }, ctx) {
  await kv.increment("calls/" + tick);
  await kv.set("key/" + tick, ctx.idempotencyKey);
}
`,
});
/** Until the next minute, and time for a busy machine. */
const LONGEST_MS = 100_000;

let cluster: RunningCluster;

beforeAll(async () => {
  cluster = await startNodes(["edge1", "edge2"]);
});
afterAll(() => cluster?.remove());

test(
  "a tick makes one call on one of the nodes, or one on each",
  async () => {
    const client = cluster.nodes[0]?.client;
    if (!client) throw new Error("no node");
    const on = "cron:* * * * *";
    for (const [name, at] of [
      ["single", "one"],
      ["each", "every"],
    ] as const) {
      await client.functions.deploy(name, COUNTER, { triggers: [{ on, at }] }, { to: "all" });
      await until(`${name} is ready everywhere`, async () => {
        const { nodes } = await client.functions.get(name);
        return nodes?.every(({ state }) => state === "ready") && nodes.length === 2;
      });
    }
    const readyAtMs = Date.now();
    const calls = async (name: string): Promise<[string, unknown]> => {
      for await (const [key, value] of client.kv(name).scan({ prefix: "calls/" })) {
        const tick = key.slice("calls/".length);
        if (Date.parse(tick) > readyAtMs) return [tick, value];
      }
      return ["", 0];
    };
    const [tick] = await until(
      "each has fired",
      async () => {
        const found = await calls("each");
        return found[1] === 2 && found;
      },
      LONGEST_MS,
    );
    expect(tick).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$/);
    expect(Date.now() - Date.parse(tick)).toBeLessThan(LONGEST_MS);
    await until("one has fired", async () => (await calls("single"))[0] === tick);
    expect(await calls("single")).toEqual([tick, 1]);
    expect(await client.kv("single").get(`key/${tick}`)).toMatch(`${tick}`);
  },
  2 * LONGEST_MS,
);
