import { afterEach, describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import type { KeygroupName } from "../../../src/core/ids.js";
import { Keygroups } from "../../../src/keygroups/keygroups.js";
import { silentLogger } from "../../../src/ports/logger.js";
import type { StorageDriver } from "../../../src/ports/storage.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { createTurn } from "../../../src/ports/turn.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { CountingStorage, ManualClock, str, textOf } from "../../helpers/memory-keygroup.js";

const NAME = "kg" as KeygroupName;
/** The row that says that there is a keygroup `kg`. */
const ROW: unknown = expect.stringMatching(/^gkg /);
const opened: Keygroups[] = [];

afterEach(async () => {
  for (const keygroups of opened.splice(0)) await keygroups.close();
});

/** Keygroups on stores in memory; `stores` are those opened so far, by name. */
async function openKeygroups(isDurable = false) {
  const inner = createMemoryDriver();
  const stores = new Map<string, CountingStorage>();
  const driver: StorageDriver = {
    isDurable,
    list: () => inner.list(),
    drop: (name) => inner.drop(name),
    open: async (name) => {
      const store = new CountingStorage(await inner.open(name));
      stores.set(name, store);
      return store;
    },
  };
  const dropped: string[] = [];
  const nodeStore = await driver.open("node");
  const keygroups = new Keygroups({
    driver,
    storageKind: "memory",
    nodeName: "node",
    nodeStore,
    resumes: true,
    defaults: { policy: "lww", durability: "relaxed", ttlMs: 0 },
    turn: createTurn(),
    timers: systemTimers,
    clock: new ManualClock(),
    logger: silentLogger,
    syncIntervalMs: 20,
    encodeSends: () => ({ writes: [], committed: () => {} }),
    dropped: (name) => void dropped.push(name),
  });
  await keygroups.open();
  opened.push(keygroups);
  const rows = () =>
    nodeStore
      .range({})
      .map((row) => `${Buffer.from(row.key).toString()} ${Buffer.from(row.value).toString()}`);
  return { keygroups, stores, driver, rows, dropped };
}

describe("changes of one keygroup that race", () => {
  test("a create during a remove gives a new, empty keygroup", async () => {
    const { keygroups, rows } = await openKeygroups();
    const old = await keygroups.create(NAME, {});
    await old.write({ writes: [{ op: "set", key: "k", value: str("v") }] });
    const removed = keygroups.remove(NAME);
    const made = await keygroups.create(NAME, {});
    await removed;
    expect(made.get("k")).toBeUndefined();
    expect(keygroups.find(NAME)).toBe(made);
    expect(rows()).toContainEqual(ROW);
    await made.write({ writes: [{ op: "set", key: "k", value: str("new") }] });
  });

  test("a remove during a create removes what was created", async () => {
    const { keygroups, driver, rows } = await openKeygroups();
    const made = keygroups.create(NAME, {});
    await keygroups.remove(NAME);
    await made;
    expect(keygroups.list()).toEqual([]);
    expect(rows()).not.toContainEqual(ROW);
    expect(await driver.list()).toEqual(["node"]);
  });

  test("a configure during a remove finds nothing, and leaves no row behind", async () => {
    const { keygroups, rows } = await openKeygroups();
    await keygroups.create(NAME, {});
    const removed = keygroups.remove(NAME);
    await expect(keygroups.configure(NAME, { ttlMs: 5 })).rejects.toMatchObject({
      code: "ENOKI_KEYGROUP_NOT_FOUND",
    });
    await removed;
    expect(rows()).not.toContainEqual(ROW);
  });

  test("two that make sure of it share one, and one of two creates is refused", async () => {
    const { keygroups } = await openKeygroups();
    const [first, second] = await Promise.all([keygroups.ensure(NAME), keygroups.ensure(NAME)]);
    expect(first).toBe(second);
    await expect(keygroups.create(NAME, {})).rejects.toMatchObject({
      code: "ENOKI_KEYGROUP_EXISTS",
    });
  });
});

test("a keygroup whose row cannot be written leaves no store behind, and can be made later", async () => {
  const { keygroups, stores, driver } = await openKeygroups();
  stores.get("node")!.failure = new EnokiError("ENOKI_DISK_FULL");
  await expect(keygroups.create(NAME, {})).rejects.toMatchObject({ code: "ENOKI_DISK_FULL" });
  expect(await driver.list()).toEqual(["node"]);
  await keygroups.create(NAME, {});
});

test("a removed keygroup refuses later writes, and tells first that it goes", async () => {
  const { keygroups, dropped } = await openKeygroups();
  const keygroup = await keygroups.create(NAME, {});
  const removed = keygroups.remove(NAME);
  await turn();
  expect(dropped).toEqual([NAME]);
  const write = { writes: [{ op: "set", key: "k", value: str("v") }] } as const;
  await expect(keygroup.write(write)).rejects.toMatchObject({ code: "ENOKI_KEYGROUP_NOT_FOUND" });
  await removed;
  await expect(keygroup.write(write)).rejects.toMatchObject({ code: "ENOKI_KEYGROUP_NOT_FOUND" });
});

test("a keygroup is remembered as strict only once all its commits are synced", async () => {
  const { keygroups, stores, rows } = await openKeygroups(true);
  const keygroup = await keygroups.create(NAME, {});
  const store = stores.get("kg-kg")!;
  const syncsAtFirst = store.syncs;
  await keygroup.write({ writes: [{ op: "set", key: "k", value: str("v") }] });
  // Its own sync is not one of those that are counted.
  await expect.poll(() => store.syncs, { interval: 1 }).toBeGreaterThan(syncsAtFirst);
  const rowBefore = rows();
  const syncsBefore = store.syncs;
  let release = (): void => {};
  store.syncGate = new Promise((resolve) => (release = resolve));
  const changed = keygroups.configure(NAME, { durability: "strict" });
  await turn();
  expect(store.syncs).toBe(syncsBefore + 1);
  expect(rows()).toEqual(rowBefore);
  const written = keygroup.write({ writes: [{ op: "set", key: "k", value: str("w") }] });
  let isAcknowledged = false;
  void written.then(() => (isAcknowledged = true));
  await turn();
  expect(textOf(keygroup.get("k"))).toBe("w");
  expect(isAcknowledged).toBe(false);
  release();
  await Promise.all([changed, written]);
  expect(rows()).toContainEqual(expect.stringContaining('"strict"'));
});

test("a keygroup that cannot be remembered as strict stays relaxed", async () => {
  const { keygroups, stores } = await openKeygroups(true);
  const keygroup = await keygroups.create(NAME, {});
  stores.get("node")!.failure = new EnokiError("ENOKI_DISK_FULL");
  const change = { durability: "strict", ttlMs: 5 } as const;
  await expect(keygroups.configure(NAME, change)).rejects.toMatchObject({
    code: "ENOKI_DISK_FULL",
  });
  expect(keygroup.config).toEqual({ policy: "lww", durability: "relaxed", ttlMs: 0 });
});

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
