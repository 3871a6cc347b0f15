import { expect, test } from "vitest";

import { stalenessOf } from "../../../src/experiments/load/staleness.js";

const WRITES = [
  { n: 0, value: "a", endMs: 10 },
  { n: 2, value: "c", endMs: 210 },
  { n: 1, value: "b", endMs: 110 },
];

const staleMs = (value: string, endMs: number) =>
  stalenessOf(WRITES, [{ value, endMs }]).map(({ stalenessMs }) => stalenessMs);

test("a read is as stale as the answer to the write after is old", () => {
  expect(staleMs("a", 125)).toEqual([15]);
  expect(staleMs("b", 213)).toEqual([3]);
});

test("a read that ends before its value was overwritten is fresh, and so is one of the newest", () => {
  expect(staleMs("a", 109)).toEqual([0]);
  expect(staleMs("c", 900)).toEqual([0]);
});

test("a read of what nobody wrote says nothing", () => {
  expect(staleMs("", 50)).toEqual([]);
});

test("a write that failed overwrites nothing", () => {
  const acknowledged = WRITES.filter(({ n }) => n !== 1);
  const reads = [{ value: "a", endMs: 215 }];
  expect(stalenessOf(acknowledged, reads)).toEqual([{ endMs: 215, stalenessMs: 5 }]);
});
