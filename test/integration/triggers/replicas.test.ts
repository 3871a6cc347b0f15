import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";

/** Keeps who has told it what, in a keygroup of its own. */
const KEEPER = `
import { kv } from "enoki";
export async function call(event, ctx) {
  await kv.set("told/" + event.key + "/" + event.node + "/" + event.version, { event, key: ctx.idempotencyKey });
}
`;
const WRITER = `
import { kv } from "enoki";
export async function call(key) {
  await kv.set(key, "by a function");
}
`;
/** Writes what it listens to. */
const LOOP = `
import { kv } from "enoki";
export async function call() {
  await kv.increment("turns/" + Math.random());
}
`;
const NAMES = ["cloud", "edge1", "edge2"];

interface Told {
  readonly event: Readonly<Record<string, unknown>>;
  readonly key: string;
}

describe.skipIf(ETCD_MISSING !== "")(`triggers at replicas${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  let nodes: ClusterProgram[];

  /** `data` lies on three nodes; what keeps the events runs on the cloud alone. */
  beforeAll(async () => {
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
    nodes = [];
    for (const name of NAMES) nodes.push(await cluster.start(name));
    const [cloud, ...edges] = nodes as [ClusterProgram, ...ClusterProgram[]];
    const writer = zipFiles({ "index.mjs": WRITER });
    await cloud.client.functions.deploy("data", writer, {});
    for (const { client } of edges) await client.functions.deploy("data", writer, {});
    const { keygroups } = cloud.client;
    await keygroups.grant("data", "function:each", ["triggers"]);
    await keygroups.grant("data", "function:single", ["triggers"]);
    for (const [name, at] of [
      ["each", "every"],
      ["single", "one"],
    ] as const) {
      const triggers = [{ on: "keygroup:data/", at }];
      await cloud.client.functions.deploy(name, zipFiles({ "index.mjs": KEEPER }), { triggers });
    }
  });
  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  async function told(name: string, key: string): Promise<Told[]> {
    const found: Told[] = [];
    const { client } = nodes[0] as ClusterProgram;
    for await (const [, value] of client.kv(name).scan({ prefix: `told/${key}/` })) {
      found.push(value as Told);
    }
    return found;
  }

  test("at every replica a write is told once, with what that replica showed before", async () => {
    const [, edge] = nodes as [ClusterProgram, ClusterProgram];
    await edge.client.kv("data").set("a", "1");
    const first = await until("all have told", async () => {
      const all = await told("each", "a");
      return all.length === 3 && all;
    });
    expect(first.map(({ event }) => event["node"]).toSorted()).toEqual(NAMES);
    expect(new Set(first.map(({ key }) => key)).size).toBe(3);
    await send(edge.functionsUrl, "/data", { body: "a" });
    const second = await until("all have told the next", async () => {
      const all = (await told("each", "a")).filter(({ event }) => event["old"] === "1");
      return all.length === 3 && all;
    });
    expect(second.every(({ event }) => event["value"] === "by a function")).toBe(true);
  });

  test("a function that writes what it listens to at all replicas ends as dead letters", async () => {
    const [cloud] = nodes as [ClusterProgram];
    const triggers = [{ on: "keygroup:data/turns/", at: "one" }];
    await cloud.client.keygroups.grant("data", "function:loop", ["triggers", "read", "write"]);
    const code = LOOP.replace("kv.increment", 'kv.keygroup("data").increment');
    await cloud.client.functions.deploy("loop", zipFiles({ "index.mjs": code }), { triggers });
    await cloud.client.kv("data").set("turns/begin", "1");
    const dead = await until("it has ended", async () => {
      for (const { client } of nodes) {
        const [letter] = await client.invocations.list({ function: "loop", state: "dead" });
        if (letter) return letter;
      }
      return undefined;
    });
    expect(dead.lastError).toMatchObject({ code: "ENOKI_TRIGGER_LOOP" });
    await cloud.client.functions.remove("loop");
  });

  test("one replica tells for all, and another one when it is killed; nothing is skipped", async () => {
    const [cloud] = nodes as [ClusterProgram];
    await cloud.client.kv("data").set("b", "1");
    const [first] = await until("one has told", async () => {
      const all = await told("single", "b");
      return all.length > 0 && all;
    });
    const chosen = first?.event["node"] as string;
    const victim = nodes.find(({ name }) => name === chosen) as ClusterProgram;
    const isCloud = victim === cloud;
    const writerNode = nodes.find((node) => node !== victim && node !== cloud) as ClusterProgram;
    await cluster.kill(victim);
    for (let n = 0; n < 20; n++) await writerNode.client.kv("data").set(`c${n}`, String(n));
    // What keeps them runs on the cloud: if that was the victim, it has to come back to be asked.
    if (isCloud) nodes[0] = await cluster.start("cloud");
    for (let n = 0; n < 20; n++) {
      const [{ event }] = await until(`c${n} is told`, async () => {
        const all = await told("single", `c${n}`);
        return all.length > 0 && (all as [Told, ...Told[]]);
      });
      expect(event["value"]).toBe(String(n));
    }
  }, 90_000);
});
