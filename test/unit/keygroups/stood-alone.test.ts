import { afterEach, beforeEach, expect, test } from "vitest";

import { parseNodeName, type KeygroupName } from "../../../src/core/ids.js";
import { Keygroups } from "../../../src/keygroups/keygroups.js";
import { MemoryLinkHub } from "../../../src/links/memory.js";
import { MemoryNamingService } from "../../../src/naming/memory.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger } from "../../../src/ports/logger.js";
import type { StorageDriver } from "../../../src/ports/storage.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { createTurn } from "../../../src/ports/turn.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { openKeygroupNode, type KeygroupNode } from "../../helpers/keygroup-node.js";
import { str, textOf } from "../../helpers/memory-keygroup.js";
import { until } from "../../helpers/node-calls.js";

const NAME = "data" as KeygroupName;
const [a, b] = [parseNodeName("a"), parseNodeName("b")];

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

async function open(name: string, disk: StorageDriver): Promise<KeygroupNode> {
  const node = await openKeygroupNode({ name, hub, service, disk });
  nodes.push(node);
  return node;
}

/** A disk on which a node that stood alone has written. */
async function standAlone(values: Readonly<Record<string, string>>): Promise<StorageDriver> {
  const driver = createMemoryDriver();
  const nodeStore = await driver.open("node");
  const alone = new Keygroups({
    driver,
    storageKind: "memory",
    nodeName: "b",
    nodeStore,
    resumes: true,
    defaults: { policy: "lww", durability: "relaxed", ttlMs: 0 },
    turn: createTurn(),
    timers: systemTimers,
    clock: systemClock,
    logger: silentLogger,
    syncIntervalMs: 5,
    encodeSends: () => ({ writes: [], committed: () => {} }),
    dropped: () => {},
  });
  await alone.open();
  const keygroup = await alone.ensure(NAME);
  for (const [key, value] of Object.entries(values)) {
    await keygroup.write({ writes: [{ op: "set", key, value: str(value) }] });
  }
  await alone.close();
  await nodeStore.close();
  return driver;
}

test("a node that stood alone brings its keygroup into a cluster that has none of that name", async () => {
  const right = await open("b", await standAlone({ x: "1", y: "2" }));
  await until("b serves", () => right.keygroups.get(NAME));
  expect(right.directory.view.keygroup(NAME)?.members.map(({ node }) => node)).toEqual(["b"]);
  const left = await open("a", createMemoryDriver());
  hub.connect(a, b);
  await left.keygroups.ensure(NAME);
  expect(textOf(left.keygroups.get(NAME)?.get("x"))).toBe("1");
  expect(textOf(left.keygroups.get(NAME)?.get("y"))).toBe("2");
  expect(right.exports.size).toBe(0);
});

test("where the cluster has one, the node's own is another history: all of it is exported, and it may join", async () => {
  const left = await open("a", createMemoryDriver());
  const cluster = await left.keygroups.ensure(NAME);
  // More commits than the other: what was made alone has names that the cluster has given, too.
  for (const key of ["x", "p", "q", "r"]) {
    await cluster.write({ writes: [{ op: "set", key, value: str("cluster") }] });
  }
  await cluster.sync();
  const disk = await standAlone({ x: "alone", y: "alone" });
  const opening = open("b", disk);
  await until("b is there", () => left.directory.view.isPresent(b));
  hub.connect(a, b);
  const right = await opening;
  await until("b has given its own up", () => right.keygroups.list().length === 0);
  const lines = [...right.exports.values()].flat().map((line) => JSON.parse(line) as object);
  expect(lines).toEqual([
    { key: "x", value: { t: "str", v: "alone" } },
    { key: "y", value: { t: "str", v: "alone" } },
  ]);
  expect(textOf(left.keygroups.get(NAME)?.get("x"))).toBe("cluster");
  await left.replicas.add(NAME, b);
  await until("b serves", () => right.keygroups.get(NAME));
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("cluster");
  expect(right.keygroups.get(NAME)?.get("y")).toBeUndefined();
});
