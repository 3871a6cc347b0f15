import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Client } from "../../../src/client/index.js";
import { OPENSSL_MISSING, TestAuthority } from "../../helpers/certificates.js";
import { MOSQUITTO_MISSING, TestBroker } from "../../helpers/mosquitto.js";
import { until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";
import { startNodes, type RunningCluster } from "../../helpers/running-cluster.js";

/** Counts each payload, and keeps the last event. */
const COUNTER = zipFiles({
  "index.mjs": `
import { kv } from "enoki";
export async function call(event) {
  await kv.batch().increment("calls/" + event.payload).set("last", event).commit();
}
`,
});
const PROCESS = ["--isolation", "process"];

describe.skipIf(MOSQUITTO_MISSING !== "")(`triggers mqtt://${MOSQUITTO_MISSING}`, () => {
  let broker: TestBroker;
  let node: NodeProgram | undefined;
  let cluster: RunningCluster | undefined;
  let dataDir: string;

  beforeEach(async () => {
    broker = await TestBroker.start();
    dataDir = await mkdtemp(join(tmpdir(), "enoki-mqtt-node-"));
  });
  afterEach(async () => {
    await node?.end("SIGKILL");
    await cluster?.remove();
    node = undefined;
    cluster = undefined;
    await broker.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (): Promise<NodeProgram> => (node = await startProgram(dataDir, PROCESS));
  const deploy = (client: Client, on: string, at = "one", to = "") =>
    client.functions.deploy("counter", COUNTER, { triggers: [{ on, at }] }, to ? { to } : {});
  const calls = async (client: Client, payload: string): Promise<number> =>
    ((await client.kv("counter").get(`calls/${payload}`)) as number | undefined) ?? 0;
  const called = (client: Client, payload: string, times = 1) =>
    until(`${payload} is handled`, async () => (await calls(client, payload)) >= times);
  const isSubscribed = (count = 1) =>
    until("it is subscribed", async () => broker.log().split("Sending SUBACK").length > count);

  test("a message calls the function with its topic and payload, as text or in base64", async () => {
    const { client } = await start();
    await deploy(client, `mqtt://${broker.address}/house/+/temperature`);
    await isSubscribed();
    await broker.publish("house/kitchen/humidity", "40");
    await broker.publish("house/kitchen/temperature", "21.5");
    await called(client, "21.5");
    const event = { source: "mqtt", topic: "house/kitchen/temperature", payload: "21.5" };
    expect(await client.kv("counter").get("last")).toEqual(event);
    expect(await calls(client, "40")).toBe(0);
    await broker.publish("house/cellar/temperature", Buffer.of(0xff, 0));
    await called(client, "/wA=");
    expect(await client.kv("counter").get("last")).toMatchObject({ payloadEncoding: "base64" });
  });

  test("what is published while the node is away comes when it is back", async () => {
    const { client, end } = await start();
    await deploy(client, `mqtt://${broker.address}/#`);
    await isSubscribed();
    await end("SIGTERM");
    await broker.publish("a", "away");
    const again = await start();
    await called(again.client, "away");
    await deploy(again.client, `mqtt://${broker.address}/#`);
    expect(await calls(again.client, "away")).toBe(1);
  });

  test("every message is handled, whenever the node is killed", async () => {
    let { client, end } = await start();
    await deploy(client, `mqtt://${broker.address}/#`);
    await isSubscribed();
    const lines = Array.from({ length: 400 }, (_, index) => `m${index}`);
    for (let round = 0; round < 4; round++) {
      const part = lines.slice(round * 100, (round + 1) * 100);
      const sending = broker.publishLines("a", part);
      await called(client, part[20 * (round + 1)] as string);
      await end("SIGKILL");
      await sending;
      ({ client, end } = await start());
    }
    await called(client, lines.at(-1) as string);
    for (const line of lines) await called(client, line);
  });

  test("a password may be a secret, which describe names and nobody shows, and is taken anew when it is set", async () => {
    await broker.remove();
    broker = await TestBroker.start({ user: "me", password: "right" });
    const on = `mqtt://me:{BROKER_PASSWORD}@${broker.address}/#`;
    const { client } = await start();
    await deploy(client, on);
    const failsWith = (code: string) =>
      until(`it fails with ${code}`, async () =>
        (await client.functions.get("counter")).failingTriggers?.some((it) => it.code === code),
      );
    await failsWith("ENOKI_INVALID_TRIGGER");
    await client.secrets.change("counter", { BROKER_PASSWORD: "s3cret" });
    await failsWith("ENOKI_MQTT_REFUSED");
    await client.secrets.change("counter", { BROKER_PASSWORD: "right" });
    await isSubscribed();
    await broker.publish("a", "in");
    await called(client, "in");
    const info = await client.functions.get("counter");
    expect(info).not.toHaveProperty("failingTriggers");
    expect(info.config.triggers).toEqual([{ on, at: "one" }]);
  });

  test("a broker that refuses is told in describe, without the password, and tried again", async () => {
    await broker.remove();
    broker = await TestBroker.start({ user: "me", password: "right" });
    const { client, log } = await start();
    await deploy(client, `mqtt://me:s3cret@${broker.address}/#`);
    const shown = `mqtt://me:***@${broker.address}/#`;
    const failing = await until("it fails", async () => {
      const info = await client.functions.get("counter");
      return info.failingTriggers && info;
    });
    expect(failing.failingTriggers).toMatchObject([{ on: shown, code: "ENOKI_MQTT_REFUSED" }]);
    expect(failing.config.triggers).toEqual([{ on: shown, at: "one" }]);
    const revisions = await client.functions.revisions("counter");
    expect(JSON.stringify([failing, revisions, log()])).not.toContain("s3cret");
    await deploy(client, `mqtt://me:right@${broker.address}/#`);
    await isSubscribed();
    await broker.publish("a", "in");
    await called(client, "in");
    expect(await client.functions.get("counter")).not.toHaveProperty("failingTriggers");
  });

  test("a trigger that is taken away ends its session at the broker", async () => {
    const { client } = await start();
    await deploy(client, `mqtt://${broker.address}/#`);
    await isSubscribed();
    await client.functions.deploy("counter", COUNTER, { triggers: [] });
    await until("it is gone", async () => /as enoki\w+ \(p2, c1/.test(broker.log()));
  });

  test.skipIf(OPENSSL_MISSING !== "")(
    `over TLS, by an authority that the node was told of${OPENSSL_MISSING}`,
    async () => {
      const authority = new TestAuthority(dataDir, "authority");
      await broker.remove();
      broker = await TestBroker.start(authority.issue("broker"));
      const env = { NODE_EXTRA_CA_CERTS: authority.caFile };
      node = await startProgram(join(dataDir, "node"), PROCESS, env);
      const { client } = node;
      await deploy(client, `mqtts://${broker.address}/#`);
      await isSubscribed();
      await broker.publish("a", "secret", "--cafile", authority.caFile);
      await called(client, "secret");
      await node.end("SIGTERM");
      node = await startProgram(join(dataDir, "node"), PROCESS);
      const failing = await until("it fails", async () => {
        const info = await (node as NodeProgram).client.functions.get("counter");
        return info.failingTriggers?.[0];
      });
      expect(failing.code).toBe("ENOKI_MQTT_UNREACHABLE");
      expect(failing.detail).toContain("certificate");
    },
  );

  test("on one of two nodes a message makes one call, and the other one takes over", async () => {
    cluster = await startNodes(["edge1", "edge2"]);
    const [edge1, edge2] = cluster.nodes.map(({ client }) => client) as [Client, Client];
    await deploy(edge1, `mqtt://${broker.address}/#`, "one", "edge1,edge2");
    await isSubscribed();
    await settledOn(edge1, 2);
    const lines = Array.from({ length: 50 }, (_, index) => `m${index}`);
    await broker.publishLines("a", lines);
    await broker.publish("a", "end");
    await called(edge1, "end");
    for (const line of lines) await called(edge1, line);
    for (const line of lines) expect(await calls(edge1, line)).toBe(1);
    // Of the two only the one that was chosen has received anything.
    const counted = await Promise.all([edge1, edge2].map(invocations));
    expect(counted.filter((count) => count > 0)).toHaveLength(1);
    const chosen = (counted[0] ?? 0) > 0 ? "edge1" : "edge2";
    const other = chosen === "edge1" ? edge2 : edge1;
    await other.functions.removeFrom("counter", chosen);
    await broker.publish("a", "after");
    await called(other, "after");
    expect(await invocations(other)).toBeGreaterThan(0);
  });

  test("on every node a message makes one call each", async () => {
    cluster = await startNodes(["edge1", "edge2"]);
    const [edge1] = cluster.nodes.map(({ client }) => client) as [Client];
    await deploy(edge1, `mqtt://${broker.address}/#`, "every", "all");
    await settledOn(edge1, 2);
    await isSubscribed(2);
    await broker.publish("a", "x");
    await called(edge1, "x", 2);
    expect(await calls(edge1, "x")).toBe(2);
  });

  async function settledOn(client: Client, count: number): Promise<void> {
    await until("it is ready everywhere", async () => {
      const { nodes } = await client.functions.get("counter");
      return nodes?.filter(({ state }) => state === "ready").length === count;
    });
  }

  async function invocations(client: Client): Promise<number> {
    return (await client.functions.get("counter")).status.invocationsTotal;
  }
});
