import { afterEach, beforeEach, expect, test } from "vitest";

import type { Directory } from "../../../src/cluster/directory.js";
import { EnokiError } from "../../../src/core/errors.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import type { Storage } from "../../../src/ports/storage.js";
import { until } from "../../../src/testing/naming-recorder.js";
import {
  codeOf,
  DEFAULTS,
  deployOf,
  DirectoryCluster,
  openNodeStore,
} from "../../helpers/directories.js";

const weather = parseKeygroupName("weather");
const moving = parseFunctionName("moving");
const [edge1, edge2] = [parseNodeName("edge1"), parseNodeName("edge2")] as const;

let cluster: DirectoryCluster;

beforeEach(() => {
  cluster = new DirectoryCluster();
});

afterEach(() => cluster.close());

function open(...given: Parameters<DirectoryCluster["open"]>): Promise<Directory> {
  return cluster.open(...given);
}

test("a node is present while its lease lasts; its addresses stay known while something names it", async () => {
  const one = await open("edge1");
  const naming = cluster.service.connect();
  await open("edge2", naming);
  const passing = cluster.service.connect();
  await open("passing", passing);
  await one.control.joinKeygroup(weather, DEFAULTS);
  await one.control.addMember(weather, edge2, "relaxed");
  await until(() => one.view.nodes().filter(({ isPresent }) => isPresent).length === 3);
  const changed: string[] = [];
  one.subscribe({ nodeChanged: (name) => void changed.push(name) });
  naming.abandon();
  passing.abandon();
  await until(() => changed.length === 2);
  expect(changed.toSorted()).toEqual(["edge2", "passing"]);
  expect(one.view.node(edge2)).toMatchObject({
    isPresent: false,
    record: { labels: { zone: "edge" } },
  });
  expect(one.view.node(parseNodeName("passing"))).toBe(undefined);
});

test("a second node of a name is refused until the first has gone", async () => {
  const naming = cluster.service.connect();
  const first = await open("edge1", naming);
  await until(() => first.view.isPresent(edge1));
  await first.control.joinKeygroup(weather, DEFAULTS);
  const second = await open("edge1");
  await until(() => second.view.isPresent(edge1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await codeOf(second.control.joinKeygroup(weather, DEFAULTS))).toBe("ENOKI_NAMING_REFUSED");
  expect(second.view.node(edge1)?.record.disk).toBe(first.disk);
  await first.close();
  await naming.close();
  await until(() => second.view.node(edge1)?.record.disk === second.disk);
  const record = await second.control.joinKeygroup(weather, DEFAULTS);
  expect(record).toMatchObject({ epoch: 2, past: [1], members: [{ epoch: 2, disk: second.disk }] });
});

test("strict is refused where a node stores in memory", async () => {
  const one = await open("edge1");
  await open("edge2", cluster.service.connect(), { self: { storage: "memory" } });
  await until(() => one.view.isPresent(edge2));
  const { control } = one;
  await control.joinKeygroup(weather, DEFAULTS);
  expect(await codeOf(control.addMember(weather, edge2, "strict"))).toBe("ENOKI_UNSUPPORTED");
  await control.addMember(weather, edge2, "relaxed");
  const all = control.configureKeygroup(weather, { durability: "strict" });
  expect(await codeOf(all)).toBe("ENOKI_UNSUPPORTED");
  const ofOne = await control.configureKeygroup(weather, { memberDurability: { edge1: "strict" } });
  expect(ofOne.members.map(({ durability }) => durability)).toEqual(["strict", "relaxed"]);
  await control.configureKeygroup(weather, { ttlMs: 7 });
  const again = await control.addMember(weather, edge1, "relaxed");
  expect(again.members.map(({ durability }) => durability)).toEqual(["relaxed", "relaxed"]);
});

test("what cannot be stored is not told, and comes when there is room again", async () => {
  const storage = await openNodeStore();
  let isFull = false;
  const full: Storage = {
    get: (key) => storage.get(key),
    range: (options) => storage.range(options),
    transact: (work) => {
      if (isFull) throw new EnokiError("ENOKI_DISK_FULL");
      return storage.transact(work);
    },
    sync: () => storage.sync(),
    close: () => storage.close(),
  };
  const one = await open("edge1", cluster.service.connect(), { storage: full });
  const two = await open("edge2");
  await until(() => one.view.isPresent(edge2));
  isFull = true;
  await two.control.joinKeygroup(weather, DEFAULTS);
  expect(await codeOf(one.control.joinKeygroup(weather, DEFAULTS))).toBe("ENOKI_DISK_FULL");
  expect(one.view.keygroup(weather)).toBe(undefined);
  isFull = false;
  await until(() => one.view.keygroup(weather)?.epoch === 2);
});

test("progress of a function is told by node: pending until a node has said something of the current revision", async () => {
  const one = await open("edge1");
  const two = await open("edge2", cluster.service.connect(), {
    self: { labels: { zone: "cloud" } },
  });
  await until(() => one.view.isPresent(edge2));
  const absent = parseNodeName("absent");
  await one.control.deployFunction(moving, deployOf("x"), {
    nodes: [absent],
    labels: ["zone=cloud", "zone=edge"],
  });
  await two.control.reportFunctionState({
    function: moving,
    state: "ready",
    revision: 1,
    serving: 1,
  });
  await until(() => one.view.functionProgress(moving).some(({ state }) => state === "ready"));
  const shown = (): string[] =>
    one.view
      .functionProgress(moving)
      .map(({ node, isPresent, state, serving }) => `${node} ${isPresent} ${state} ${serving}`);
  expect(shown()).toEqual(["absent false pending 0", "edge1 true pending 0", "edge2 true ready 1"]);
  await one.control.deployFunction(moving, deployOf("y"), {});
  expect(shown()[2]).toBe("edge2 true pending 1");
  await two.control.reportFunctionState({
    function: moving,
    state: "failed",
    revision: 2,
    serving: 1,
    reason: "it does not load",
  });
  await until(() => shown()[2] === "edge2 true failed 1");
  expect(one.view.functionProgress(moving)[2]?.reason).toBe("it does not load");
  await one.control.removeFunctionNode(moving, absent);
  expect(shown().length).toBe(2);
  await one.control.removeFunction(moving);
  await until(() => one.view.functionNodes(moving).length === 0);
  expect(shown()).toEqual([]);
});
