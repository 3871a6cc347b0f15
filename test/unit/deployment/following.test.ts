import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { parseFunctionName, parseNodeName } from "../../../src/core/ids.js";
import {
  DeploymentCluster,
  type DeploymentNode,
  deployText,
  MACHINE,
} from "../../helpers/deployment-cluster.js";
import { codeOf } from "../../helpers/directories.js";
import { eventually } from "../../helpers/eventually.js";

const fn = parseFunctionName("weather");
const [edge1, edge3] = [parseNodeName("edge1"), parseNodeName("edge3")];

let cluster: DeploymentCluster;

beforeEach(() => {
  cluster = new DeploymentCluster();
});

afterEach(() => cluster.close());

async function serves(node: DeploymentNode, text: string | undefined): Promise<void> {
  await vi.waitFor(() => expect(node.serving(fn)).toBe(text), { timeout: 10_000 });
}

/** What `from` knows of each node: its state and what serves there. */
function rows(from: DeploymentNode): string[] {
  return from.deployment.functions
    .places(fn)
    .map(({ node, state, serving, reason }) =>
      [node, state, serving, reason].filter((word) => word !== undefined).join(" "),
    );
}

async function shows(from: DeploymentNode, expected: readonly unknown[]): Promise<void> {
  await vi.waitFor(() => expect(rows(from)).toEqual(expected), { timeout: 10_000 });
}

test("what is deployed to all nodes is built once and serves on all of them", async () => {
  const one = await cluster.add("edge1");
  const others = [await cluster.add("edge2"), await cluster.add("edge3")];
  const { record, isNew } = await deployText(one, fn, "first", { isAll: true });
  expect([record.current, isNew]).toEqual([1, true]);
  expect(one.serving(fn)).toBe("first");
  for (const other of others) {
    await serves(other, "first");
    expect(other.builds).toEqual([]);
    expect(other.local.recordOf(fn)).toEqual(one.local.recordOf(fn));
    await eventually(async () => expect(await other.store.list()).toHaveLength(2));
    for (const hash of await other.store.list()) expect(await other.store.verify(hash)).toEqual([]);
  }
  await shows(one, ["edge1 ready 1", "edge2 ready 1", "edge3 ready 1"]);
  // New code, deployed anywhere, is the next revision everywhere.
  await deployText(others[0] as DeploymentNode, fn, "second");
  for (const node of [one, ...others]) await serves(node, "second");
  await shows(one, ["edge1 ready 2", "edge2 ready 2", "edge3 ready 2"]);
});

test("the same code on a further node joins without a new revision", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  await deployText(one, fn, "same");
  const { record, isNew } = await deployText(two, fn, "same");
  expect([record.current, isNew]).toEqual([1, false]);
  await shows(one, ["edge1 ready 1", "edge2 ready 1"]);
});

test("two nodes that deploy at the same instant end with the same revision everywhere", async () => {
  const nodes = [
    await cluster.add("edge1"),
    await cluster.add("edge2"),
    await cluster.add("edge3"),
  ];
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      nodes.map((node, at) => deployText(node, fn, `round ${round} of ${at}`, { isAll: true })),
    );
    const last = 3 * (round + 1);
    await vi.waitFor(
      () => {
        for (const { local } of nodes) expect(local.recordOf(fn)?.current).toBe(last);
      },
      { timeout: 10_000 },
    );
    expect(new Set(nodes.map((node) => node.serving(fn))).size).toBe(1);
  }
});

test("a revision that does not load never reaches other nodes, and the one before goes on", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  await deployText(one, fn, "good", { isAll: true });
  await serves(two, "good");
  expect(await codeOf(deployText(one, fn, "broken"))).toBe("ENOKI_LOAD_FAILED");
  expect(await codeOf(deployText(one, fn, "unbuildable"))).toBe("ENOKI_BUILD_FAILED");
  expect(one.directory.view.function(fn)).toMatchObject({ current: 1, last: 1 });
  expect([one.serving(fn), two.serving(fn)]).toEqual(["good", "good"]);
  expect(two.local.loads).toEqual(["weather 1"]);
});

test("a node where the new revision fails keeps the old one and says why", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  await deployText(one, fn, "good", { isAll: true });
  await serves(two, "good");
  two.local.loading = async () => {
    throw Object.assign(new Error("it needs a camera"), { code: "?" });
  };
  await deployText(one, fn, "better");
  await shows(one, [
    "edge1 ready 2",
    "edge2 failed 1 ENOKI_INTERNAL: the node has a bug; see its log",
  ]);
  expect(two.serving(fn)).toBe("good");
  // The next revision is tried again.
  two.local.loading = async () => {};
  await deployText(one, fn, "best");
  await shows(one, ["edge1 ready 3", "edge2 ready 3"]);
});

test("a node that is named and absent is pending, and follows by itself when it comes", async () => {
  const one = await cluster.add("edge1");
  await deployText(one, fn, "waiting", { nodes: [edge1, edge3] });
  expect(rows(one)).toEqual(["edge1 ready 1", "edge3 pending 0"]);
  const three = await cluster.add("edge3");
  await serves(three, "waiting");
  await shows(one, ["edge1 ready 1", "edge3 ready 1"]);
});

test("labels choose nodes, also those that come later", async () => {
  const one = await cluster.add("edge1", { labels: { zone: "north" } });
  const two = await cluster.add("edge2", { labels: { zone: "south" } });
  // The node that takes the deploy need not run it itself.
  await deployText(one, fn, "southern", { labels: ["zone=south"] });
  await serves(two, "southern");
  const three = await cluster.add("edge3", { labels: { zone: "south" } });
  await serves(three, "southern");
  expect(one.serving(fn)).toBeUndefined();
  await shows(one, ["edge2 ready 1", "edge3 ready 1"]);
});

test("another Python rebuilds from the source and says so; what fits no platform says that", async () => {
  const one = await cluster.add("edge1");
  const two = await cluster.add("edge2", {
    target: { ...MACHINE, platform: "linux-arm64-glibc", python: "3.12" },
  });
  await deployText(one, fn, "portable", { isAll: true });
  await shows(one, ["edge1 ready 1", "edge2 ready 1 rebuilt for linux-arm64-glibc, Python 3.12"]);
  expect(two.builds).toEqual(["portable"]);
  await deployText(one, fn, "native program", {}, "binary");
  await shows(one, [
    "edge1 ready 2",
    "edge2 failed 1 ENOKI_RUNTIME_UNAVAILABLE: the program is for linux-x64-glibc; this node is linux-arm64-glibc",
  ]);
  await deployText(one, fn, "a script", {}, "binary");
  await shows(one, ["edge1 ready 3", "edge2 ready 3"]);
});

test("without naming a deploy fails at once and changes nothing; nodes go on, also over a restart", async () => {
  const one = await cluster.add("edge1");
  const two = await cluster.add("edge2");
  await deployText(one, fn, "kept", { isAll: true });
  await shows(one, ["edge1 ready 1", "edge2 ready 1"]);
  cluster.directories.service.setReachable(false);
  await eventually(() => expect(one.directory.isReachable).toBe(false));
  expect(await codeOf(deployText(one, fn, "new"))).toBe("ENOKI_NAMING_UNAVAILABLE");
  expect(await codeOf(one.deployment.functions.rollback(fn, 1))).toBe("ENOKI_NAMING_UNAVAILABLE");
  expect(await codeOf(one.deployment.functions.remove(fn, { deleteData: false }))).toBe(
    "ENOKI_NAMING_UNAVAILABLE",
  );
  expect(one.builds).toEqual(["kept"]);
  const { storage, dir } = two;
  await two.close();
  const again = await cluster.add("edge2", {}, { storage, dir });
  expect(again.serving(fn)).toBe("kept");
  cluster.directories.service.setReachable(true);
  await eventually(() => expect(one.directory.isReachable).toBe(true));
  await deployText(one, fn, "new");
  await serves(again, "new");
});

test("a rollback goes to all nodes, also to those that never had that revision", async () => {
  const one = await cluster.add("edge1");
  await deployText(one, fn, "old");
  await deployText(one, fn, "new", { isAll: true });
  const two = await cluster.add("edge2");
  await serves(two, "new");
  await one.deployment.functions.rollback(fn, undefined);
  expect(one.serving(fn)).toBe("old");
  await serves(two, "old");
  await two.deployment.functions.rollback(fn, 2);
  await serves(one, "new");
  expect(await codeOf(one.deployment.functions.rollback(fn, 7))).toBe("ENOKI_REVISION_NOT_FOUND");
});

test("a removed function goes from all nodes with its code, and its numbers do not come again", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  await deployText(one, fn, "gone", { isAll: true });
  await shows(one, ["edge1 ready 1", "edge2 ready 1"]);
  await two.deployment.functions.remove(fn, { deleteData: false });
  await serves(one, undefined);
  expect(two.serving(fn)).toBeUndefined();
  await eventually(async () => expect(await one.store.list()).toEqual([]));
  expect(await codeOf(two.deployment.functions.remove(fn, { deleteData: false }))).not.toBe(
    "it did not fail",
  );
  const { record, isNew } = await deployText(one, fn, "back");
  expect([record.current, isNew]).toEqual([2, true]);
});

test("a deploy during a slow load of another one wins, and the slow one never serves", async () => {
  const [one, two] = [await cluster.add("edge1"), await cluster.add("edge2")];
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  two.local.loading = () => held;
  await deployText(one, fn, "first", { isAll: true });
  await eventually(() => expect(two.local.loads).toEqual(["weather 1"]));
  await deployText(one, fn, "second");
  await eventually(() => expect(two.directory.view.function(fn)?.current).toBe(2));
  two.local.loading = async () => {};
  release();
  await serves(two, "second");
  expect(two.local.recordOf(fn)?.revisions.map(({ number }) => number)).toEqual([2]);
});
