import { expect, test } from "vitest";

import type { KeygroupName } from "../../../src/core/ids.js";
import { grantsRowKey, StoredGrants } from "../../../src/keygroups/stored-grants.js";
import { beginRun, endRun } from "../../../src/node/run-marker.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";

const open = () => createMemoryDriver().open("node");

test("the first run lost nothing", async () => {
  expect(await beginRun(await open(), "boot-1")).toBe(true);
});

test("a run after a clean stop lost nothing, whatever happened to the machine", async () => {
  const store = await open();
  await beginRun(store, "boot-1");
  await endRun(store, "boot-1");
  expect(await beginRun(store, "boot-2")).toBe(true);
});

test("a run after a kill lost nothing if the system has run on", async () => {
  const store = await open();
  await beginRun(store, "boot-1");
  expect(await beginRun(store, "boot-1")).toBe(true);
});

test("a run after a power cut may have lost something, and only that one", async () => {
  const store = await open();
  await beginRun(store, "boot-1");
  expect(await beginRun(store, "boot-2")).toBe(false);
  expect(await beginRun(store, "boot-2")).toBe(true);
});

test("what a version before noted counts, and is noted where it is now", async () => {
  const store = await open();
  const former = Buffer.from("run");
  const marker = Buffer.from('{"bootId":"boot-1","isClean":false}');
  store.transact((transaction) => transaction.put(former, marker));
  expect(await beginRun(store, "boot-2")).toBe(false);
  expect(store.get(former)).toBeUndefined();
  expect(await beginRun(store, "boot-2")).toBe(true);
});

test("a keygroup whose grants lie where the note once lay takes nothing from it, nor loses them", async () => {
  const store = await open();
  const grants = new StoredGrants({ nodeStore: store, find: () => undefined });
  const un = "un" as KeygroupName;
  await beginRun(store, "boot-1");
  await grants.set(un, { kind: "function", id: "mean" }, ["read"]);
  expect(await beginRun(store, "boot-2")).toBe(false);
  await endRun(store, "boot-2");
  expect(grants.list(un)).toEqual([{ kind: "function", id: "mean", rights: ["read"] }]);
  // As a drop of the keygroup does.
  store.transact((transaction) => transaction.delete(grantsRowKey(un)));
  await beginRun(store, "boot-3");
  expect(await beginRun(store, "boot-4")).toBe(false);
});
