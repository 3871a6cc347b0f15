import { afterAll, beforeAll, expect, test } from "vitest";

import type { KeygroupMember } from "../../../src/client/index.js";
import { runEnoki } from "../../helpers/cli-program.js";
import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { send, until } from "../../helpers/node-calls.js";
import { deploy, reads } from "./store-function.js";

/** Slow enough for `VALUES` to wait at the sender, fast enough for signs of life. */
const SLOW_BYTES_PER_SECOND = 1_000_000;
/** More than the buffers of sockets take. */
const VALUES = 150;
const VALUE = "v".repeat(100_000);

let nodes: DistantNodes;
let cloud: DistantNode;
let edge: DistantNode;

beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  await deploy(cloud);
  await deploy(edge);
  await cloud.client.keygroups.configure("store", { policy: "siblings" });
  await until("both know", async () => {
    const known = [cloud, edge].map(({ client }) => client.keygroups.get("store"));
    return (await Promise.all(known)).every(({ policy }) => policy === "siblings");
  });
  await cloud.client.kv("store").set("first", "1");
  await reads(edge, "first", "1");
});
afterAll(() => nodes?.remove());

type Peer = NonNullable<KeygroupMember["peer"]>;

/** What a node knows of the other one, over REST. */
async function peerAt(node: DistantNode): Promise<Peer> {
  const { replication } = await node.client.keygroups.get("store");
  const peer = replication?.members.find(({ here }) => !here)?.peer;
  if (!peer) throw new Error(`${node.name} knows nothing of the other one`);
  return peer;
}

/** The same in its metrics. */
async function gaugeAt(node: DistantNode, name: string): Promise<number> {
  const { text } = await send(node.adminUrl, "/metrics");
  const found = new RegExp(`^enoki_replica_${name}\\{keygroup="store",node="\\w+"\\} (.+)$`, "m");
  return Number(found.exec(text)?.[1]);
}

async function enoki(node: DistantNode, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runEnoki([...args, "--node", node.adminUrl]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** The row of the other member in `keygroups describe`, by its headings. */
async function rowAt(node: DistantNode): Promise<Record<string, string>> {
  const lines = (await enoki(node, "keygroups", "describe", "store")).trimEnd().split("\n");
  const [headings = [], ...rows] = lines
    .slice(lines.findIndex((line) => line.startsWith("NODE")))
    .map((line) => line.split(/ {2,}/));
  const row = rows.find((cells) => !cells[1]?.includes("asked")) ?? [];
  return Object.fromEntries(headings.map((heading, n) => [heading, row[n] ?? ""]));
}

test("over a link that is too slow, both sides see lag and outbox, which are gone once it is fast", async () => {
  nodes.each((proxy) => (proxy.bytesPerSecond = SLOW_BYTES_PER_SECOND));
  const kv = cloud.client.kv("store");
  for (let n = 0; n < VALUES; n++) await kv.set(`slow/${n}`, VALUE);

  await until("cloud sees that edge is behind, and what has not left", async () => {
    const { outboxBytes, behindUpdates } = await peerAt(cloud);
    return outboxBytes > VALUE.length && behindUpdates > 1;
  });
  expect(await gaugeAt(cloud, "outbox_bytes")).toBeGreaterThan(0);
  expect(await gaugeAt(cloud, "behind_updates")).toBeGreaterThan(0);
  await until("edge hears that it lacks something, and since when", async () => {
    const { lagUpdates, lagMs, stalenessMs } = await peerAt(edge);
    return lagUpdates > 1 && lagMs > 0 && (stalenessMs ?? 0) >= lagMs;
  });
  expect(await gaugeAt(edge, "lag_updates")).toBeGreaterThan(0);
  expect(await gaugeAt(edge, "lag_seconds")).toBeGreaterThan(0);
  expect(await rowAt(edge)).toMatchObject({
    NODE: "cloud",
    "NOT HERE": expect.stringMatching(/^[1-9]\d*$/),
  });

  nodes.each((proxy) => (proxy.bytesPerSecond = Infinity));
  for (const node of [cloud, edge]) {
    await until(`${node.name} sees nothing missing any more`, async () => {
      const { lagUpdates, lagMs, behindUpdates, outboxBytes } = await peerAt(node);
      return lagUpdates + lagMs + behindUpdates + outboxBytes === 0;
    });
    expect(await rowAt(node)).toMatchObject({ "NOT THERE": "0", "NOT HERE": "0", OUTBOX: "0 B" });
    for (const name of ["lag_updates", "lag_seconds", "behind_updates", "outbox_bytes"]) {
      expect(await gaugeAt(node, name), `${name} at ${node.name}`).toBe(0);
    }
  }
  expect((await edge.client.kv("store").keys({ prefix: "slow/" }).toArray()).length).toBe(VALUES);
});

test("values that both sides of a cut link wrote are explained by both nodes and their invocations", async () => {
  nodes.each((proxy) => proxy.cut());
  const written = await Promise.all(
    [cloud, edge].map(({ functionsUrl, name }) =>
      send(functionsUrl, "/store", { body: `k=from ${name}` }),
    ),
  );
  const [ofCloud, ofEdge] = written.map(({ headers }) => headers["enoki-invocation-id"] as string);
  const alone = await cloud.client.kv("store").explain("k");
  expect(alone.versions).toMatchObject([{ node: "cloud", invocation: ofCloud }]);
  expect(alone.replicas).toMatchObject([{ node: "cloud" }, { node: "edge", state: "unknown" }]);

  nodes.each((proxy) => proxy.heal());
  for (const node of [cloud, edge]) {
    const other = node === cloud ? edge : cloud;
    const explained = await until(`${node.name} knows of both, everywhere`, async () => {
      const found = await node.client.kv("store").explain("k");
      return found.replicas.every(({ versions }) => versions.length === 2) && found;
    });
    const bys = explained.versions.map(({ node: by, invocation }) => [by, invocation]);
    expect(bys.sort()).toEqual([
      ["cloud", ofCloud],
      ["edge", ofEdge],
    ]);
    expect(explained.replicas).toMatchObject([
      { node: node.name, state: "same" },
      { node: other.name, state: "same" },
    ]);
    const text = await enoki(node, "kv", "explain", "store", "k");
    for (const part of ["cloud", "edge", ofCloud, ofEdge]) expect(text).toContain(part);
    expect((await node.client.kv("store").siblings("k")).sort()).toEqual([
      "from cloud",
      "from edge",
    ]);
  }
});
