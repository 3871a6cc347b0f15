import { afterEach, beforeEach, expect, test } from "vitest";

import { parseNodeName, type KeygroupName, type NodeName } from "../../../src/core/ids.js";
import type { Keygroup } from "../../../src/keygroups/keygroup.js";
import type { KeyState } from "../../../src/keygroups/overview/key-report.js";
import { keyReport } from "../../../src/keygroups/overview/key-report.js";
import type { ReplicationReport } from "../../../src/keygroups/overview/replication-report.js";
import { MemoryLinkHub } from "../../../src/links/memory.js";
import { MemoryNamingService } from "../../../src/naming/memory.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { openKeygroupNode, type KeygroupNode } from "../../helpers/keygroup-node.js";
import { str } from "../../helpers/memory-keygroup.js";
import { until } from "../../helpers/node-calls.js";

const NAME = "data" as KeygroupName;
const [a, b, c] = ["a", "b", "c"].map(parseNodeName) as [NodeName, NodeName, NodeName];
const WRITER = Buffer.from("00112233445566778899aabbccddeeff", "hex");

let hub: MemoryLinkHub;
let service: MemoryNamingService;
let nodes: KeygroupNode[];

beforeEach(() => {
  hub = new MemoryLinkHub();
  service = new MemoryNamingService({ timers: systemTimers });
  nodes = [];
});
afterEach(async () => {
  for (const node of nodes) await node.close();
});

async function open(name: NodeName): Promise<KeygroupNode> {
  const node = await openKeygroupNode({ name, hub, service });
  nodes.push(node);
  return node;
}

/** Two nodes that both serve the keygroup and know it of one another. */
async function openPair(): Promise<[KeygroupNode, KeygroupNode]> {
  const [left, right] = [await open(a), await open(b)];
  hub.connect(a, b);
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await until("everything is everywhere", async () => (await reportOf(left)).isEverywhere);
  return [left, right];
}

const on = ({ keygroups }: KeygroupNode): Keygroup => keygroups.find(NAME);

async function reportOf(node: KeygroupNode): Promise<ReplicationReport> {
  const report = await node.overview.replication(NAME);
  if (!report) throw new Error("there is no report");
  return report;
}

async function set(node: KeygroupNode, key: string, text: string): Promise<void> {
  await on(node).write({ writes: [{ op: "set", key, value: str(text) }], writer: WRITER });
}

test("says of each member where it stands, and when everything is everywhere", async () => {
  const [left, right] = await openPair();
  await set(right, "k", "v");
  await until("a has it, and knows that both have all", async () => {
    return on(left).get("k") && (await reportOf(left)).isEverywhere;
  });
  const report = await reportOf(left);
  expect(report).toMatchObject({ generation: 1, epoch: 2, unreplicated: 0, conflictsTotal: 0 });
  expect(report.updatesAppliedTotal).toBe(1);
  expect(report.stalenessMs).toBeLessThan(10_000);
  const [here, other] = report.members;
  expect(here).toMatchObject({ node: a, isHere: true, state: "serving", peer: undefined });
  expect(other).toMatchObject({ node: b, isHere: false, isPresent: true, state: "serving" });
  expect(other?.peer).toMatchObject({
    lagUpdates: 0,
    lagMs: 0,
    behindUpdates: 0,
    updatesAppliedTotal: 1,
    awaySinceMs: undefined,
  });
});

test("a member without a link is away since then, and what it may lack is told", async () => {
  const [left] = await openPair();
  const beforeMs = Date.now();
  hub.cut(a, b);
  await set(left, "k", "1");
  await set(left, "k", "2");
  const report = await reportOf(left);
  expect(report).toMatchObject({ isEverywhere: false, unreplicated: 1 });
  const member = report.members.find(({ node }) => node === b);
  expect(member).toMatchObject({ state: "away", isPresent: true });
  expect(member?.peer?.awaySinceMs).toBeGreaterThanOrEqual(beforeMs);
  expect(member?.peer?.stalenessMs).toBeGreaterThan(0);
  hub.connect(a, b);
  await until("everything is everywhere", async () => (await reportOf(left)).isEverywhere);
  expect((await reportOf(left)).unreplicated).toBe(0);
});

test("a replica that joins shows how far it has been filled, there and elsewhere", async () => {
  const [left, right] = [await open(a), await open(b)];
  await left.keygroups.ensure(NAME);
  const items = 10_000;
  for (let i = 0; i < items; i += 1000) {
    const writes = Array.from({ length: 1000 }, (_, n) => {
      return { op: "set", key: `key-${i + n}`, value: str("x".repeat(100)) } as const;
    });
    await on(left).write({ writes });
  }
  const seen: { items: number; share: number }[] = [];
  const joined = right.keygroups.ensure(NAME);
  hub.connect(a, b);
  await until("b is known to join", async () => (await reportOf(left)).members.length === 2);
  for (let isServing = false; !isServing;) {
    const member = (await reportOf(left)).members.find(({ node }) => node === b);
    isServing = member?.state === "serving";
    if (member?.progress) seen.push(member.progress);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await joined;
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.map((progress) => progress.items)).toEqual(
    seen.map((progress) => progress.items).toSorted((one, other) => one - other),
  );
  for (const progress of seen) {
    expect(progress.items).toBeLessThanOrEqual(items);
    expect(progress.share).toBeGreaterThan(0);
    expect(progress.share).toBeLessThanOrEqual(1);
  }
  expect((await reportOf(right)).members.every(({ progress }) => !progress)).toBe(true);
});

test("counts conflicts where they are resolved: a loser dropped under lww, siblings replaced by a write", async () => {
  const [left, right] = await openPair();
  hub.cut(a, b);
  await set(left, "k", "left");
  await set(right, "k", "right");
  await set(right, "alone", "right");
  await on(left).write({ writes: [{ op: "increment", key: "n", n: 1 }] });
  await on(right).write({ writes: [{ op: "increment", key: "n", n: 1 }] });
  hub.connect(a, b);
  await until("both have all", async () => {
    return (await reportOf(left)).isEverywhere && (await reportOf(right)).isEverywhere;
  });
  const dropped = on(left).conflictsTotal + on(right).conflictsTotal;
  // Each node that meets both versions drops one of "k"; those of the counter are both kept.
  expect(dropped).toBeGreaterThanOrEqual(1);
  expect(dropped).toBeLessThanOrEqual(2);
  const before = on(left).conflictsTotal;
  await on(left).write({ writes: [{ op: "increment", key: "n", n: 1 }] });
  expect(on(left).conflictsTotal).toBe(before + 1);
  await on(left).write({ writes: [{ op: "increment", key: "n", n: 1 }] });
  expect(on(left).conflictsTotal).toBe(before + 1);
  const report = await reportOf(left);
  expect(report.conflictsTotal).toBe(before + 1);
  // What a write here resolved came from nobody.
  expect(report.members.find(({ node }) => node === b)?.peer?.conflictsTotal).toBe(before);
});

test("explains on every member which node and invocation wrote a value, and who has it", async () => {
  const [left, right] = await openPair();
  await set(left, "k", "v");
  await until("b has it", () => on(right).get("k"));
  // A third one gets it by a catch-up.
  const third = await open(c);
  hub.connect(a, c);
  hub.connect(b, c);
  await third.keygroups.ensure(NAME);
  await until("all know that c serves", async () => {
    const report = await reportOf(right);
    return report.members.every(({ state }) => state === "serving") && report.isEverywhere;
  });
  for (const node of nodes) {
    const report = await node.overview.key(NAME, "k");
    expect(report?.versions).toMatchObject([
      { version: "1.0.1", node: a, invocation: WRITER.toString("hex"), type: "str" },
    ]);
    expect(report?.versions[0]?.atMs).toBeGreaterThan(Date.now() - 60_000);
    expect(report?.replicas.map(({ state }) => state)).toEqual(["same", "same", "same"]);
  }
  hub.cut(a, b);
  const parted = await left.overview.key(NAME, "k");
  expect(parted?.replicas.find(({ node }) => node === b)).toEqual({
    node: b,
    state: "unknown",
    versions: [],
    reason: "there is no link to b",
  });
});

test("a node that is no member and runs no function of that name is told nothing", async () => {
  await openPair();
  const stranger = await open(c);
  hub.connect(a, c);
  const report = await reportOf(stranger);
  expect(report.members.every(({ progress }) => !progress)).toBe(true);
  expect(await stranger.overview.key(NAME, "k")).toBeUndefined();
});

test.each<[string, { here: string[]; there: string[]; covers: boolean; state: KeyState }]>([
  ["the same versions", { here: ["1.0.1"], there: ["1.0.1"], covers: true, state: "same" }],
  ["a later one", { here: ["1.0.1"], there: ["2.0.9"], covers: true, state: "newer" }],
  ["a delete since", { here: ["1.0.1"], there: [], covers: true, state: "newer" }],
  ["an earlier one", { here: ["1.0.2"], there: ["1.0.1"], covers: false, state: "older" }],
  ["nothing yet", { here: ["1.0.1"], there: [], covers: false, state: "missing" }],
  ["one beside it", { here: ["1.0.2"], there: ["2.0.9"], covers: false, state: "concurrent" }],
  ["one of two", { here: ["1.0.2", "2.0.1"], there: ["2.0.1"], covers: false, state: "older" }],
])("a member that has %s is said to", (_, { here, there, covers, state }) => {
  const versionOf = (version: string) => {
    const what = { type: "str", atMs: 0, invocation: undefined, expiresAtMs: 0 };
    return { version, member: Number(version[0]), ...what };
  };
  const record = { members: [{ epoch: 1, node: a }] } as never;
  const own = { node: a, explanation: { key: "k", versions: here.map(versionOf) } };
  const answer = { covers, versions: there.map(versionOf) };
  // Here everything is known but what carries the number 9.
  const report = keyReport(record, own, [{ node: b, answer }], (version) => !version.endsWith("9"));
  expect(report.replicas.at(-1)).toMatchObject({ node: b, state, versions: there });
  // Also what is only there is explained; who wrote it may be a member no longer.
  expect(new Set(report.versions.map(({ version }) => version))).toEqual(
    new Set([...here, ...there]),
  );
  for (const { version, node } of report.versions) {
    expect(node).toBe(version.startsWith("1") ? a : undefined);
  }
});
