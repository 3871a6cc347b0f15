import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { MOSQUITTO_MISSING, TestBroker } from "../../helpers/mosquitto.js";
import { until, zipFiles } from "../../helpers/node-calls.js";

const COUNTER = zipFiles({
  "index.mjs": `
import { kv } from "enoki";
export async function call(event) {
  await kv.increment("calls/" + event.payload);
}
`,
});
const MISSING = ETCD_MISSING || MOSQUITTO_MISSING;

describe.skipIf(MISSING !== "")(`a node that fires for all${MISSING}`, () => {
  let broker: TestBroker;
  let etcd: TestEtcd;
  let cluster: ProgramCluster;

  beforeAll(async () => {
    broker = await TestBroker.start();
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
  });
  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
    await broker?.remove();
  });

  test("is killed: the other one goes on with all that it left, also while etcd is away", async () => {
    const nodes = [await cluster.start("edge1"), await cluster.start("edge2")];
    const [first] = nodes as [ClusterProgram];
    const on = `mqtt://${broker.address}/#`;
    const triggers = [{ on, at: "one" }];
    const to = "edge1,edge2";
    await first.client.functions.deploy("counter", COUNTER, { triggers }, { to, wait: "60s" });
    await until("both are ready", async () => {
      const { nodes: places } = await first.client.functions.get("counter");
      return places?.every(({ state }) => state === "ready") && places.length === 2;
    });
    await until("one is subscribed", () => broker.log().includes("Sending SUBACK"));
    await broker.publish("a", "first");
    const chosen = await until("one was called", async () => {
      for (const node of nodes) {
        const { status } = await node.client.functions.get("counter");
        if (status.invocationsTotal > 0) return node;
      }
      return undefined;
    });
    await cluster.kill(chosen);
    const lines = Array.from({ length: 20 }, (_, index) => `m${index}`);
    await broker.publishLines("a", lines);
    const other = nodes.find((node) => node !== chosen) as ClusterProgram;
    const called = (payload: string): Promise<unknown> =>
      until(
        `${payload} is handled`,
        () => other.client.kv("counter").get(`calls/${payload}`),
        60_000,
      );
    for (const line of lines) await called(line);
    await etcd.kill();
    await broker.publish("a", "without etcd");
    await called("without etcd");
    expect(await other.client.kv("counter").get("calls/without etcd")).toBe(1);
  });
});
