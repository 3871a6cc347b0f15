import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Policy } from "../../../src/core/live-set.js";
import { Replica } from "../../../src/core/replica.js";
import { utf8Bytes, utf8Text } from "../../../src/core/text.js";
import { visibleValue } from "../../../src/core/visible.js";
import { rowAgain } from "../../helpers/format-again.js";
import { describeRow, hex, unhex } from "../../helpers/format-dump.js";
import { RowStore } from "../../helpers/row-store.js";

interface FixtureRow {
  readonly key: string;
  readonly value: string;
  readonly means: { readonly row: string };
}

const FOLDER = join(import.meta.dirname, "../../fixtures/format-1");
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));

function load(name: string): { rows: FixtureRow[]; store: RowStore } {
  const rows = JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as FixtureRow[];
  const store = new RowStore(
    rows.map(({ key, value }) => ({ key: unhex(key), value: unhex(value) })),
  );
  return { rows, store };
}

function open(name: string, policy: Policy): { replica: Replica; store: RowStore } {
  const { store } = load(name);
  const wallMs = 1_800_000_001_000;
  return { replica: Replica.open(store, { wallMs, policy, resumes: true }).replica, store };
}

function shown({ replica, store }: { replica: Replica; store: RowStore }, key: string) {
  const live = replica.read(store, utf8Bytes(key));
  const value = visibleValue(replica.policy, live, replica.nowMs(1_800_000_001_000));
  return value && `${value.tag}:${utf8Text(value.bytes)}`;
}

describe("stored bytes of format 1", () => {
  it.each(FILES)("in %s still mean what they meant", (name) => {
    const { rows, store } = load(name);
    const means = store.rows().map((row) => describeRow(store, row));
    expect(JSON.parse(JSON.stringify(means))).toEqual(rows.map((row) => row.means));
  });

  it.each(FILES)("in %s are what this version writes for the same state", (name) => {
    const { store } = load(name);
    for (const row of store.rows()) {
      const { key, value } = rowAgain(store, row);
      expect([hex(key), value && hex(value)]).toEqual([hex(row.key), hex(row.value)]);
    }
  });

  it("hold every kind of row", () => {
    const kinds = new Set(FILES.flatMap((name) => load(name).rows.map(({ means }) => means.row)));
    expect([...kinds].sort()).toEqual([
      "expiry",
      "garbage",
      "index",
      "item",
      "meta finals",
      "meta floor",
      "meta format",
      "meta identity",
      "meta joining",
      "meta listed",
      "meta record",
      "meta state",
      "staging",
    ]);
  });

  it("open as a replica that shows every type of value", () => {
    const opened = open("lww.json", "lww");
    const keys = ["str", "empty", "json", "ttl", "deleted", "counter", "set", "map", "pinned"];
    expect(keys.map((key) => shown(opened, key))).toEqual([
      "1:grüezi",
      "1:",
      '3:{"a":[1,null]}',
      "1:soon",
      undefined,
      "3:-295",
      '3:[{"b":1}]',
      '3:{"n":2,"r":[true]}',
      "1:replaced a counter",
    ]);
    const siblings = open("siblings.json", "siblings");
    expect(siblings.replica.read(siblings.store, utf8Bytes("k")).length).toBe(2);
    expect(shown(siblings, "staged")).toBeUndefined();
  });
});
