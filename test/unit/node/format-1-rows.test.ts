import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { formatDot } from "../../../src/core/dot.js";
import { Replica } from "../../../src/core/replica.js";
import type { RowPair } from "../../../src/core/rows.js";
import { utf8Bytes } from "../../../src/core/text.js";
import { TAG } from "../../../src/core/value.js";
import { applyWrite } from "../../../src/keygroups/write.js";
import { beginRun } from "../../../src/node/run-marker.js";
import { readHandled } from "../../../src/triggers/data/handled-vector.js";
import { hex, unhex } from "../../helpers/format-dump.js";
import { readLocalRow } from "../../helpers/local-rows.js";
import { readNodeStore, rowsOf, storeOf } from "../../helpers/node-rows.js";
import { RowStore } from "../../helpers/row-store.js";

interface Fixture {
  readonly rows: readonly { readonly key: string; readonly value: string }[];
  readonly means: unknown;
}

const WALL_MS = 1_800_000_000_000;
const NAMED_ROWS = new Set([":run", "run", "d:disk", "identity"]);
const FOLDER = join(import.meta.dirname, "../../fixtures/format-1/local");

function load(name: string) {
  const { rows, means } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8")) as Fixture;
  return { means, rows: rows.map(({ key, value }) => ({ key: unhex(key), value: unhex(value) })) };
}

function digits(rows: readonly RowPair[]): string[] {
  return rows.map(({ key, value }) => `${hex(key)} ${hex(value)}`);
}

function platformItems(): RowStore {
  const path = join(FOLDER, "../platform-items.json");
  const rows = JSON.parse(readFileSync(path, "utf8")) as Fixture["rows"];
  return new RowStore(rows.map(({ key, value }) => ({ key: unhex(key), value: unhex(value) })));
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

test.each(["lonely-node", "cluster-node"])(
  "the stored rows of a %s still mean what they meant, and are written the same",
  async (name) => {
    const { rows, means } = load(name);
    const { says, again } = await readNodeStore(await storeOf(rows));
    expect(says).toEqual(means);
    expect(digits(rowsOf(again))).toEqual(digits(rows));
  },
);

test("a node's rows are of every kind", () => {
  const kinds = ["lonely-node", "cluster-node", "node"].flatMap((name) =>
    load(name).rows.map(({ key }) => {
      const text = Buffer.from(key).toString("utf8");
      return NAMED_ROWS.has(text) ? text : text.replace(/^(d=[^/]+|.).*/, "$1");
    }),
  );
  expect([...new Set(kinds)].toSorted()).toEqual([
    ":run",
    "d:disk",
    "d=function-nodes",
    "d=functions",
    "d=keygroups",
    "d=nodes",
    "d=tokens",
    "f",
    "g",
    "identity",
    "r",
    "run",
    "t",
  ]);
});

test("a node stored before still has its functions, its keygroups and how its last run ended", async () => {
  const { rows, means } = load("node");
  const store = await storeOf(rows.filter(({ key }) => Buffer.from(key).toString() !== "run"));
  const { says, again } = await readNodeStore(store);
  expect(says).toEqual(means);
  expect(digits(rowsOf(again))).toEqual(digits(rowsOf(store)));
  const whole = await storeOf(rows);
  expect(await beginRun(whole, "another boot")).toBe(true);
  // What has begun and not ended is not clean.
  expect(await beginRun(whole, "a third boot")).toBe(false);
});

test("items of the platform still do what they are for", () => {
  const store = platformItems();
  const { replica } = Replica.open(store, { wallMs: WALL_MS, policy: "lww", resumes: true });
  const handled = readHandled(replica, store, "0123456789abcdef");
  expect([handled.epoch, handled.entries().map(formatDot)]).toEqual([300, ["1.0.1", "300.5.400"]]);
  const context = { replica, reader: store, wallMs: WALL_MS, defaultTtlMs: 0 };
  const value = { tag: TAG.str, bytes: utf8Bytes("another") };
  const request = { writes: [{ op: "set", key: "k", value }], once: "once é" } as const;
  const repeat = applyWrite(context, request, () => ({ writes: [], committed: () => {} }));
  expect(repeat.outcome).toEqual({ results: [{ version: "1.0.1" }], repeated: true });
  expect(repeat.writes).toEqual([]);
});
