import { expect, test } from "vitest";

import type { FunctionName, KeygroupName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import { TAG } from "../../../src/core/value.js";
import type { OutboxEvent } from "../../../src/functions/outbox/outbox-message.js";
import type { WriteRequest } from "../../../src/keygroups/types.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { changeCall } from "../../../src/triggers/data/change-calls.js";
import { DataTriggers } from "../../../src/triggers/data/data-triggers.js";
import { TriggerBook } from "../../../src/triggers/trigger-book.js";
import { openTestKeygroup, str, textOf } from "../../helpers/memory-keygroup.js";

const nothing = { ids: [], writes: [], committed: () => {} };
const EVENT_ROW = Buffer.from("p-event");

/** A keygroup `test` whose triggers store one row per commit that has events. */
async function open(...triggers: string[]) {
  const book = new TriggerBook();
  const deploy = (...ons: string[]): void => {
    const settings = ons.map((on) => ({ on, at: "origin" as const }));
    const deployed = settings.length > 0 ? [{ triggers: settings, deployedAtMs: 1 }] : [];
    book.set("alarm" as FunctionName, deployed);
  };
  deploy(...triggers);
  const told: OutboxEvent[] = [];
  const state = { mayListen: true, failure: undefined as Error | undefined, committedTotal: 0 };
  const data = new DataTriggers({
    book,
    node: "edge",
    keygroups: () => [],
    mayListen: () => state.mayListen,
    isChosen: () => false,
    outbox: { roomFor: () => 0, prepare: () => nothing, whenEnded: () => false },
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    prepare: (_keygroup, events) => {
      if (state.failure) throw state.failure;
      for (const { event, ...rest } of events) {
        told.push(changeCall({ ...rest, event, order: event.key, place: "" }));
      }
      const row = { key: EVENT_ROW, value: Buffer.of(events.length) };
      return { writes: [row], committed: () => void (state.committedTotal += 1) };
    },
  });
  const opened = await openTestKeygroup({
    reactionsOf: (name: KeygroupName) => data.reactionsOf(name),
  });
  const bodies = () =>
    told
      .splice(0)
      .map(({ request }) => JSON.parse(String(request.body)) as Record<string, unknown>);
  return { ...opened, ...opened.keygroup, state, told, bodies, deploy };
}

const set = (key: string, text: string): WriteRequest => ({
  writes: [{ op: "set", key, value: str(text) }],
});

test("each committed write of a key with the prefix is told, with what was there before", async () => {
  const { keygroup, bodies } = await open("keygroup:test/temp/");
  await keygroup.write(set("temp/1", "20"));
  await keygroup.write(set("humidity/1", "50"));
  await keygroup.write(set("temp/1", "21"));
  await keygroup.write({ writes: [{ op: "delete", key: "temp/1" }] });
  const same = { source: "keygroup", keygroup: "test", key: "temp/1", node: "edge" };
  expect(bodies()).toEqual([
    { ...same, value: "20", deleted: false, version: "1.0.1", at: "2023-11-14T22:13:20.000Z" },
    { ...same, value: "21", old: "20", deleted: false, version: "1.0.3", at: expect.any(String) },
    { ...same, old: "21", deleted: true, version: "1.0.4", at: expect.any(String) },
  ]);
});

test("text, JSON, bytes and counters are told as what they are", async () => {
  const { keygroup, bodies } = await open("keygroup:test");
  const bytes = { tag: TAG.bytes, bytes: Buffer.from([0, 255]) };
  const json = { tag: TAG.json, bytes: Buffer.from('{"a":[1,null]}') };
  await keygroup.write({
    writes: [
      { op: "set", key: "bytes", value: bytes },
      { op: "set", key: "json", value: json },
      { op: "increment", key: "count", n: 2 },
    ],
  });
  await keygroup.write({ writes: [{ op: "increment", key: "count", n: 3 }] });
  await keygroup.write({ writes: [{ op: "delete", key: "bytes" }] });
  expect(bodies()).toMatchObject([
    { key: "bytes", value: "AP8=", valueEncoding: "base64" },
    { key: "json", value: { a: [1, null] } },
    { key: "count", value: 2 },
    { key: "count", value: 5, old: 2 },
    { key: "bytes", old: "AP8=", oldEncoding: "base64", deleted: true },
  ]);
});

test("what is too large for an event is left out of it, the old value first", async () => {
  const { keygroup, bodies } = await open("keygroup:test");
  const half = "h".repeat(LIMITS.triggerEventBytesMax / 2);
  await keygroup.write(set("key", half));
  await keygroup.write(set("key", half));
  await keygroup.write(set("key", half + half));
  const [first, second, third] = bodies();
  expect(first).toMatchObject({ value: half });
  expect([second?.["value"] === half, second?.["leftOut"]]).toEqual([true, ["old"]]);
  expect(third).not.toHaveProperty("value");
  expect(third).toMatchObject({ deleted: false, leftOut: ["old", "value"] });
});

test("what changes nothing is not told: a delete of nothing, a refusal, a repeat", async () => {
  const { keygroup, told } = await open("keygroup:test");
  await keygroup.write({ writes: [{ op: "delete", key: "nothing" }] });
  const refused = { ...set("key", "1"), checks: [{ key: "key", version: "1.0.9" }] };
  await expect(keygroup.write(refused)).rejects.toMatchObject({ code: "ENOKI_VERSION_CONFLICT" });
  expect(told).toEqual([]);
  const once = { ...set("key", "1"), once: "k" };
  await keygroup.write(once);
  expect(await keygroup.write(once)).toMatchObject({ repeated: true });
  expect(told).toHaveLength(1);
});

test("the events are rows of the same transaction, and taken up once that is committed", async () => {
  const { keygroup, storage, state } = await open("keygroup:test");
  storage.failure = new Error("disk");
  await expect(keygroup.write(set("key", "1"))).rejects.toThrow("disk");
  expect([storage.get(EVENT_ROW), state.committedTotal]).toEqual([undefined, 0]);
  storage.transactions = 0;
  await keygroup.write(set("key", "1"));
  expect([storage.transactions, storage.get(EVENT_ROW), state.committedTotal]).toEqual([
    1,
    Uint8Array.of(1),
    1,
  ]);
});

test("a trigger that fails changes nothing for the write", async () => {
  const { keygroup, state } = await open("keygroup:test");
  state.failure = new Error("a bug");
  await keygroup.write(set("key", "1"));
  expect(textOf(keygroup.get("key"))).toBe("1");
});

test("without the right to listen nothing is told, from one write to the next", async () => {
  const { keygroup, state, bodies } = await open("keygroup:test");
  state.mayListen = false;
  await keygroup.write(set("key", "1"));
  state.mayListen = true;
  await keygroup.write(set("key", "2"));
  expect(bodies()).toMatchObject([{ value: "2", old: "1" }]);
});

test("each event has one name, and events of one key have one order", async () => {
  const { keygroup, told } = await open("keygroup:test");
  for (const key of ["a", "a", "b"]) await keygroup.write(set(key, "1"));
  const keys = told.map(({ request }) => request.idempotencyKey);
  expect(new Set(keys).size).toBe(3);
  const [first, second, third] = told.map(({ orderKey }) => orderKey);
  expect(first).toBe(second);
  expect(first).not.toBe(third);
});

test("the depth of a write goes on in its event; the seventeenth is refused", async () => {
  const { keygroup, told } = await open("keygroup:test");
  for (const depth of [undefined, 3, 15, 16]) {
    const origin = depth === undefined ? undefined : { depth, headers: "" };
    await keygroup.write({ ...set("key", "1"), origin });
  }
  expect(told.map((event) => [event.depth, event.refused?.code])).toEqual([
    [1, undefined],
    [4, undefined],
    [16, undefined],
    [16, "ENOKI_TRIGGER_LOOP"],
  ]);
});

test("a keygroup that nobody listens to does nothing more: no row, no transaction, no read", async () => {
  const plain = await openTestKeygroup();
  const listening = await open("keygroup:other");
  const counts = [];
  for (const { keygroup, storage } of [plain, listening]) {
    let reads = 0;
    const { transact } = storage;
    storage.transact = (work) =>
      transact((transaction) =>
        work({
          ...transaction,
          range: (options) => transaction.range(options),
          put: (key, value) => transaction.put(key, value),
          delete: (key) => transaction.delete(key),
          get: (key) => {
            reads += 1;
            return transaction.get(key);
          },
        }),
      );
    storage.transactions = 0;
    await keygroup.write(set("key", "1"));
    await keygroup.write(set("key", "2"));
    const rows = storage.range({
      start: Buffer.of(ROW_PREFIX.local),
      end: Buffer.of(ROW_PREFIX.local + 1),
    });
    counts.push({ rows: rows.length, reads, transactions: storage.transactions });
  }
  expect(counts[1]).toEqual(counts[0]);
  expect(counts[0]).toMatchObject({ rows: 0, transactions: 2 });
});

test("a trigger that comes or goes counts from the next write on", async () => {
  const { keygroup, bodies, deploy } = await open();
  await keygroup.write(set("key", "1"));
  deploy("keygroup:test");
  await keygroup.write(set("key", "2"));
  deploy();
  await keygroup.write(set("key", "3"));
  expect(bodies()).toMatchObject([{ value: "2", old: "1" }]);
});
