import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { FunctionRegistry } from "../../../src/functions/registry.js";
import { KeygroupStores } from "../../../src/keygroups/keygroup-stores.js";
import { beginRun } from "../../../src/node/run-marker.js";
import type { Storage } from "../../../src/ports/storage.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { hex, unhex } from "../../helpers/format-dump.js";
import { readLocalRow, readNodeStore } from "../../helpers/local-rows.js";

interface Fixture {
  readonly rows: readonly { readonly key: string; readonly value: string }[];
  readonly means: unknown;
}

const FOLDER = join(import.meta.dirname, "../../fixtures/format-1/local");

function load(name: string) {
  const { rows, means } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8")) as Fixture;
  return { means, rows: rows.map(({ key, value }) => ({ key: unhex(key), value: unhex(value) })) };
}

async function nodeStore(): Promise<Storage> {
  const store = await createMemoryDriver().open("node");
  store.transact((transaction) => {
    for (const { key, value } of load("node").rows) transaction.put(key, value);
  });
  return store;
}

test.each([
  ["outbox", ["outbox idempotency key", "outbox invocation", "outbox result"]],
  ["triggers", ["trigger change", "trigger key", "trigger marker"]],
])("stored rows of %s still mean what they meant, and are written the same", (name, kinds) => {
  const { rows, means } = load(name);
  const read = rows.map(readLocalRow);
  expect(read.map(({ row, says }) => ({ row, says }))).toEqual(means);
  for (const [n, { again }] of read.entries()) {
    expect([hex(again.key), hex(again.value)]).toEqual([
      hex(rows[n]?.key as Uint8Array),
      hex(rows[n]?.value as Uint8Array),
    ]);
  }
  expect([...new Set(read.map(({ row }) => row))].toSorted()).toEqual(kinds);
});

test("a stored node still has its functions, its keygroups and how its last run ended", async () => {
  const store = await nodeStore();
  const keygroups = new KeygroupStores({ nodeStore: store } as never).rows();
  expect(readNodeStore(new FunctionRegistry(store), keygroups)).toEqual(load("node").means);
  expect(await beginRun(store, "another boot")).toBe(true);
  // What has begun and not ended is not clean.
  expect(await beginRun(store, "a third boot")).toBe(false);
});
