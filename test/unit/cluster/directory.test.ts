import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Directory } from "../../../src/cluster/directory.js";
import type { EnokiError } from "../../../src/core/errors.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import type { MemoryNaming } from "../../../src/naming/memory.js";
import { type Naming, namingOutcomeUnknown } from "../../../src/ports/naming.js";
import type { Storage } from "../../../src/ports/storage.js";
import { systemTimers } from "../../../src/ports/timers.js";
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

/** Writes a record as another program could. */
async function writeRaw(key: string, value: string): Promise<void> {
  await cluster.service.connect().transact([], [{ key, value }]);
}

test("two nodes that deploy the same function at the same instant end with one keygroup and two members", async () => {
  const [one, two] = [await open("edge1"), await open("edge2")];
  for (let round = 0; round < 50; round++) {
    const [keygroup, name] = [parseKeygroupName(`k${round}`), parseFunctionName(`k${round}`)];
    const deployed = await Promise.all(
      [one, two].map(async ({ control }, index) => {
        const node = index === 0 ? edge1 : edge2;
        await control.deployFunction(name, deployOf("x", `${round}-${index}`), { nodes: [node] });
        return control.joinKeygroup(keygroup, DEFAULTS);
      }),
    );
    const last = deployed.find(({ epoch }) => epoch === 2);
    expect(last).toMatchObject({ generation: 1, epoch: 2, past: [] });
    expect(last?.members.map(({ epoch, isFounder }) => [epoch, isFounder])).toEqual([
      [1, true],
      [2, false],
    ]);
    for (const { view } of [one, two]) {
      await until(() => view.keygroup(keygroup)?.epoch === 2);
      await until(() => view.function(name)?.targets.nodes.length === 2);
      expect(view.function(name)).toMatchObject({ current: 1, last: 1 });
    }
  }
});

test("a record is on stable storage before anybody is told of it, and before the change resolves", async () => {
  const storage = await openNodeStore();
  const events: string[] = [];
  const slow: Storage = {
    get: (key) => storage.get(key),
    range: (options) => storage.range(options),
    transact: (work) => storage.transact(work),
    sync: async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      events.push("synced");
    },
    close: () => storage.close(),
  };
  const directory = await open("edge1", cluster.service.connect(), { storage: slow });
  await until(() => directory.view.isPresent(edge1));
  events.length = 0;
  directory.subscribe({ keygroupChanged: (name) => void events.push(`told ${name}`) });
  await directory.control.createKeygroup(weather, DEFAULTS);
  events.push("resolved");
  expect(events).toEqual(["synced", "told weather", "resolved"]);
});

test("without naming, changes fail at once; a restarted node works from its last view, and all resumes", async () => {
  const storage = await openNodeStore();
  const naming = cluster.service.connect();
  const before = await open("edge1", naming, { storage });
  await before.control.joinKeygroup(weather, DEFAULTS);
  await before.control.deployFunction(moving, deployOf("x"), { nodes: [edge1] });
  await until(() => before.view.isPresent(edge1));
  cluster.service.setReachable(false);
  await until(() => !before.isReachable);
  expect(await codeOf(before.control.joinKeygroup(weather, DEFAULTS))).toBe(
    "ENOKI_NAMING_UNAVAILABLE",
  );
  await before.close();
  naming.abandon();

  const after = await open("edge1", cluster.service.connect(), { storage });
  expect(after.isReachable).toBe(false);
  expect(after.disk).toBe(before.disk);
  expect(after.view.keygroup(weather)).toEqual(before.view.keygroup(weather));
  expect(after.view.function(moving)).toEqual(before.view.function(moving));
  expect(after.view.node(edge1)).toMatchObject({ isPresent: false, record: { name: "edge1" } });
  expect(await codeOf(after.control.dropKeygroup(weather))).toBe("ENOKI_NAMING_UNAVAILABLE");
  cluster.service.setReachable(true);
  await until(() => after.view.isPresent(edge1));
  expect(await after.control.joinKeygroup(weather, DEFAULTS)).toMatchObject({ epoch: 1 });
});

describe("after an unknown outcome", () => {
  /** Does every transaction of `keygroups/` and `functions/`, and says for the first of each that it does not know. */
  function forgetful(naming: MemoryNaming): Naming {
    const told = new Set<string>();
    return {
      read: (prefix) => naming.read(prefix),
      watch: (prefix, events) => naming.watch(prefix, events),
      close: () => naming.close(),
      transact: async (checks, writes) => {
        const isDone = await naming.transact(checks, writes);
        const what = writes.map(({ key, value }) => `${key}=${value}`).join();
        if (told.has(what) || what.startsWith("nodes")) return isDone;
        told.add(what);
        throw namingOutcomeUnknown("lost");
      },
    };
  }

  test("no change is made twice", async () => {
    const { control } = await open("edge1", forgetful(cluster.service.connect()));
    const other = await open("edge2");
    expect(await control.createKeygroup(weather, DEFAULTS)).toMatchObject({
      generation: 1,
      serial: 1,
    });
    expect(await codeOf(control.createKeygroup(weather, DEFAULTS))).toBe("ENOKI_KEYGROUP_EXISTS");
    await other.control.joinKeygroup(weather, DEFAULTS);
    expect(await control.joinKeygroup(weather, DEFAULTS)).toMatchObject({ epoch: 2 });
    expect(await control.rejoinKeygroup(weather, 1)).toMatchObject({ epoch: 3, past: [1] });
    expect(await control.removeMember(weather, edge2)).toMatchObject({ epoch: 4, past: [1, 2] });
    expect(await codeOf(control.removeMember(weather, edge1))).toBe("ENOKI_LAST_REPLICA");
    expect(await control.configureKeygroup(weather, { ttlMs: 5 })).toMatchObject({ epoch: 4 });
    expect(await control.grant(weather, { kind: "function", id: moving }, ["read"])).toMatchObject({
      serial: 6,
    });
    expect(await control.refoundKeygroup(weather, 1, edge1)).toMatchObject({
      generation: 2,
      epoch: 1,
    });
    expect(await control.dropKeygroup(weather)).toMatchObject({ generation: 2, epoch: 2 });
    expect(await codeOf(control.dropKeygroup(weather))).toBe("ENOKI_KEYGROUP_NOT_FOUND");

    await control.deployFunction(moving, deployOf("x"), { nodes: [edge1] });
    expect(await control.deployFunction(moving, deployOf("y"), {})).toMatchObject({
      current: 2,
      serial: 2,
    });
    expect(await control.rollBackFunction(moving, 1)).toMatchObject({ current: 1, serial: 3 });
    await control.reportFunctionState({
      function: moving,
      state: "ready",
      revision: 1,
      serving: 1,
    });
    await control.removeFunction(moving).catch((error: unknown) => {
      // The record is gone for certain; clearing what nodes have said is what is not known.
      expect((error as EnokiError).extra).toEqual({ outcome: "unknown" });
    });
    expect(cluster.rawOf("functions/moving")).toMatchObject({ isRemoved: true, serial: 4 });
  });
});

test("what others keep changing is given up in the end, with nothing changed", async () => {
  const naming = cluster.service.connect();
  let tries = 0;
  const beaten: Naming = {
    read: (prefix) => naming.read(prefix),
    watch: (prefix, events) => naming.watch(prefix, events),
    close: () => naming.close(),
    transact: async () => {
      tries++;
      return false;
    },
  };
  const timers = { after: (_ms: number, work: () => void) => systemTimers.after(0, work) };
  const { control } = await open("edge1", beaten, { timers });
  await expect(control.joinKeygroup(weather, DEFAULTS)).rejects.toThrow(/40 times in a row/);
  expect(tries).toBeGreaterThan(39);
  expect(cluster.service.entries("keygroups/")).toEqual([]);
});

test("a record that cannot be read is reported and blocks only itself, until it is mended", async () => {
  const directory = await open("edge1");
  await directory.control.joinKeygroup(weather, DEFAULTS);
  const good = cluster.service.entries("keygroups/weather")[0]?.value ?? "";
  await writeRaw("keygroups/weather", '{"format":1,"epoch":-4}');
  await writeRaw("keygroups/a|b", "ignored");
  await until(() => directory.problems.size === 1);
  expect(directory.problems.get("keygroups/weather")).toMatch(/the record keygroups\/weather: /);
  expect(directory.view.keygroup(weather)).toMatchObject({ epoch: 1 });
  expect(await codeOf(directory.control.joinKeygroup(weather, DEFAULTS))).toBe(
    "ENOKI_NAMING_RECORD",
  );
  const other = parseKeygroupName("other");
  expect(await directory.control.joinKeygroup(other, DEFAULTS)).toMatchObject({ epoch: 1 });
  await writeRaw("keygroups/weather", good);
  await until(() => directory.problems.size === 0);
  expect(await directory.control.joinKeygroup(weather, DEFAULTS)).toMatchObject({ epoch: 1 });
});

test("an invalid name or label reaches no naming service", async () => {
  const directory = await open("edge1");
  await until(() => directory.view.isPresent(edge1));
  const before = cluster.service.revision;
  for (const name of ["a/b", "", "a|b"]) expect(() => parseKeygroupName(name)).toThrow();
  const work = directory.control.deployFunction(moving, deployOf("x"), { labels: ["zone edge"] });
  expect(await codeOf(work)).toBe("ENOKI_INVALID_INPUT");
  expect(cluster.service.revision).toBe(before);
});

test("a naming service that lost everything, or went back, is restored from the nodes", async () => {
  const [mine, others] = [await openNodeStore(), await openNodeStore()];
  const one = await open("edge1", cluster.service.connect(), { storage: mine });
  const two = await open("edge2", cluster.service.connect(), { storage: others });
  await one.control.joinKeygroup(weather, DEFAULTS);
  const backup = cluster.service.entries("keygroups/weather")[0]?.value ?? "";
  await two.control.joinKeygroup(weather, DEFAULTS);
  await one.control.deployFunction(moving, deployOf("x"), { nodes: [edge1] });
  await one.control.removeFunction(moving);
  await until(() => one.view.keygroup(weather)?.epoch === 2);
  await until(() => two.view.function(moving)?.isRemoved === true);
  await cluster.close();

  cluster = new DirectoryCluster();
  await writeRaw("keygroups/weather", backup);
  const again = await open("edge1", cluster.service.connect(), { storage: mine });
  await until(() => (cluster.rawOf("keygroups/weather") as { epoch: number }).epoch === 2);
  await until(() => cluster.service.entries("functions/moving").length === 1);
  expect(again.view.keygroup(weather)).toMatchObject({ epoch: 2 });
  expect(cluster.rawOf("functions/moving")).toMatchObject({ isRemoved: true, last: 1 });
  await until(() => again.view.isPresent(edge1));
  const next = await again.control.deployFunction(moving, deployOf("x", "again"), {});
  expect(next).toMatchObject({ current: 2 });
  // A node whose last view is older does not bring it back.
  const other = await open("edge2", cluster.service.connect(), { storage: others });
  await until(() => other.view.function(moving)?.current === 2);
  expect(cluster.rawOf("functions/moving")).toMatchObject({ current: 2, serial: next.serial });
});
