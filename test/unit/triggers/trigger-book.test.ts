import { expect, test } from "vitest";

import type { FunctionName, KeygroupName } from "../../../src/core/ids.js";
import type { TriggerSetting } from "../../../src/functions/types.js";
import { TriggerBook } from "../../../src/triggers/trigger-book.js";

const ALARM = "alarm" as FunctionName;
const READINGS = "readings" as KeygroupName;
const TEMP: TriggerSetting = { on: "keygroup:readings/temp", at: "every" };
const TICK: TriggerSetting = { on: "cron:* * * * *", at: "one" };

function revision(deployedAtMs: number, ...triggers: TriggerSetting[]) {
  return { triggers, deployedAtMs };
}

test("a keygroup's triggers are found by its name, and those of no keygroup are not", () => {
  const book = new TriggerBook();
  expect(book.ofKeygroup(READINGS)).toEqual([]);
  book.set(ALARM, [revision(1, TEMP, TICK)]);
  expect(book.ofKeygroup(READINGS)).toMatchObject([
    { function: "alarm", on: TEMP.on, at: "every", cause: { prefix: "temp" }, sinceMs: 1 },
  ]);
  expect(book.all().map(({ on }) => on)).toEqual([TEMP.on, TICK.on]);
  book.set(ALARM, []);
  expect(book.ofKeygroup(READINGS)).toEqual([]);
});

test("a trigger is as old as the first of the revisions that have it without a break", () => {
  const book = new TriggerBook();
  const since = (): number[] => book.all().map(({ sinceMs }) => sinceMs);
  book.set(ALARM, [revision(1, TEMP), revision(2, TICK), revision(3, TEMP), revision(4, TEMP)]);
  expect(since()).toEqual([3]);
  book.set(ALARM, [revision(1, TEMP), revision(2, { ...TEMP, at: "one" })]);
  expect(since()).toEqual([2]);
});

test("it keeps its name over revisions; another place is another trigger", () => {
  const book = new TriggerBook();
  const id = (): string | undefined => book.all()[0]?.id;
  book.set(ALARM, [revision(1, TEMP)]);
  const first = id();
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  book.set(ALARM, [revision(5, TEMP)]);
  expect(id()).toBe(first);
  book.set(ALARM, [revision(5, { ...TEMP, at: "one" })]);
  expect(id()).not.toBe(first);
});

test("who listens is told of changes, and of nothing else", () => {
  const book = new TriggerBook();
  let changes = 0;
  const end = book.subscribe(() => (changes += 1));
  book.set(ALARM, [revision(1)]);
  book.set(ALARM, [revision(1, TEMP)]);
  book.set(ALARM, [revision(1, TEMP), revision(2, TEMP)]);
  expect(changes).toBe(1);
  end();
  book.set(ALARM, []);
  expect(changes).toBe(1);
});

test("one that this version cannot read is left out, and keeps no other away", () => {
  const book = new TriggerBook();
  book.set(ALARM, [revision(1, { on: "queue:later", at: "one" }, TICK)]);
  expect(book.all().map(({ on }) => on)).toEqual([TICK.on]);
});

test("another password in it leaves it the same trigger", () => {
  const book = new TriggerBook();
  const ids = ["old", "new"].map((password) => {
    book.set(ALARM, [revision(1, { on: `mqtt://me:${password}@broker/#`, at: "one" })]);
    return book.all()[0]?.id;
  });
  expect(ids[0]).toBe(ids[1]);
});
