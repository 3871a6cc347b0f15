import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { CALLEE, CALLERS, type Called } from "./functions.js";

const SLEEP_MS = 1000;
const KEEPER = `
import { kv } from "enoki";
export async function call(n, ctx) {
  await kv.update("kept", (kept) => [...(kept ?? []), n]);
  await kv.batch().increment("exact").once(ctx.idempotencyKey).commit();
}
`;

describe.skipIf(ETCD_MISSING !== "")(`calls between processes on etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  let edge: ClusterProgram;
  /** Those that run what is called. */
  let running: ClusterProgram[];

  beforeAll(async () => {
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
    edge = await cluster.start("edge");
    running = [];
    for (const name of ["one", "two", "three"]) running.push(await cluster.start(name));
    const caller = zipFiles(CALLERS["node"] as Record<string, string>);
    await edge.client.functions.deploy("caller", caller, {});
    for (const { client } of running) {
      await client.functions.deploy("slow", zipFiles({ "index.mjs": CALLEE }), {});
    }
    await until("edge knows of all", async () => {
      const nodes = await edge.client.nodes();
      const has = nodes.filter(({ functions }) => functions.includes("slow"));
      return has.length === 3 && (await ask({})).code === undefined;
    });
  });
  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  async function ask(data: object, options: object = {}): Promise<Called> {
    const body = JSON.stringify({ name: "slow", data, options });
    const headers = { "content-type": "application/json" };
    const answer = await send(edge.functionsUrl, "/caller", { body, headers });
    return JSON.parse(answer.text) as Called;
  }

  /** The node that runs the call, once it does. */
  const runsOn = () =>
    until("it runs somewhere", async () => {
      for (const node of running) {
        const { status } = await node.client.functions.get("slow");
        if (status.running > 0) return node;
      }
      return undefined;
    });

  async function killInTheMiddle(options: object): Promise<Called> {
    const asked = ask({ sleepMs: SLEEP_MS }, options);
    const victim = await runsOn();
    await cluster.kill(victim);
    const answer = await asked;
    running = running.filter((node) => node !== victim);
    return answer;
  }

  test("a call whose node is killed is unknown, and not made again", async () => {
    expect(await killInTheMiddle({})).toMatchObject({
      code: "ENOKI_OUTCOME_UNKNOWN",
      message: expect.stringContaining("the link to"),
    });
    const totals = await Promise.all(running.map(({ client }) => client.functions.get("slow")));
    expect(totals.map(({ status }) => status.running)).toEqual([0, 0]);
  });

  test("with an idempotency key it takes place on another node", async () => {
    const { result } = await killInTheMiddle({ idempotencyKey: "order-1" });
    expect(result).toMatchObject({ input: { sleepMs: SLEEP_MS }, idempotencyKey: "order-1" });
  });

  test("what was sent is delivered through kills of both nodes, in its order", async () => {
    const [one] = running as [ClusterProgram];
    await one.client.functions.deploy("keeper", zipFiles({ "index.mjs": KEEPER }), {});
    const send20 = async (from: number) => {
      for (let n = from; n < from + 20; n++) {
        const body = JSON.stringify({
          verb: "send",
          name: "keeper",
          data: n,
          options: { orderKey: "k" },
        });
        const headers = { "content-type": "application/json" };
        const { text } = await send(edge.functionsUrl, "/caller", { body, headers });
        expect((JSON.parse(text) as Called).code).toBeUndefined();
      }
    };
    await until("edge knows of it", async () => {
      const nodes = await edge.client.nodes();
      return nodes.some(({ functions }) => functions.includes("keeper"));
    });
    await send20(0);
    await cluster.kill(one);
    await send20(20);
    await cluster.kill(edge);
    const again = await cluster.start(one.name);
    edge = await cluster.start("edge");
    const kv = again.client.kv("keeper");
    const seen = await until("all are kept", async () => {
      const kept = ((await kv.get("kept").catch(() => undefined)) ?? []) as number[];
      return kept.includes(39) && kept;
    });
    const firsts = seen.filter((n, at) => seen.indexOf(n) === at);
    expect(firsts).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(await kv.get("exact")).toBe(40);
  });
});
