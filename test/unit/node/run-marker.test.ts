import { expect, test } from "vitest";

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
