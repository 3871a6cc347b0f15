import { expect, test } from "vitest";

import { SlotTable } from "../../../src/channel/slot-table.js";

test("a number stands for its value until that is taken out, and for nothing afterwards", () => {
  const table = new SlotTable<{ name: string }>();
  const first = table.add({ name: "first" });
  expect(first).toBeGreaterThan(0);
  expect(table.get(first)?.name).toBe("first");
  expect(table.take(first)?.name).toBe("first");
  const second = table.add({ name: "second" });
  expect(second).not.toBe(first);
  expect(table.get(first)).toBeUndefined();
  expect(table.take(first)).toBeUndefined();
  expect(table.get(second)?.name).toBe("second");
  expect(table.size).toBe(1);
});

test("numbers fit in 32 bits however often a slot is used", () => {
  const table = new SlotTable<object>();
  const seen = new Set<number>();
  for (let i = 0; i < 300_000; i++) {
    const number = table.add({});
    if (!(number > 0 && number <= 0xffffffff)) throw new Error(`${number} does not fit`);
    if (i < 16_000 && seen.has(number)) throw new Error(`${number} was given twice`);
    seen.add(number);
    table.take(number);
  }
  expect(table.size).toBe(0);
});

test("takeAll empties the table and its slots are used again", () => {
  const table = new SlotTable<{ id: number }>();
  const numbers = [1, 2, 3].map((id) => table.add({ id }));
  expect(table.takeAll().map((value) => value.id)).toEqual([1, 2, 3]);
  expect(numbers.map((number) => table.get(number))).toEqual([undefined, undefined, undefined]);
  const again = table.add({ id: 4 });
  expect(numbers).not.toContain(again);
  expect(table.all()).toEqual([{ id: 4 }]);
});
