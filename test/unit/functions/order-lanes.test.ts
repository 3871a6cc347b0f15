import { expect, test } from "vitest";

import type { InvocationId } from "../../../src/core/ids.js";
import { OrderLanes } from "../../../src/functions/outbox/order-lanes.js";
import type { StoredEntry } from "../../../src/functions/outbox/rows.js";

const id = (name: string) => name as InvocationId;
const entry = (more: Partial<StoredEntry>) =>
  ({ function: "fn", from: "a", ...more }) as StoredEntry;

test("of one sender, function and key the first has its turn, and each next one when it has ended", () => {
  const lanes = new OrderLanes();
  const one = entry({ orderKey: "k" });
  expect(["1", "2", "3"].map((name) => lanes.add(one, id(name)))).toEqual([true, false, false]);
  expect(lanes.remove(one, id("1"))).toBe("2");
  expect(lanes.remove(one, id("2"))).toBe("3");
  expect(lanes.remove(one, id("3"))).toBeUndefined();
  expect(lanes.add(one, id("4"))).toBe(true);
});

test("another sender, function or key waits for nobody, and neither does what has no key", () => {
  const lanes = new OrderLanes();
  const lanesOf = [{ orderKey: "k" }, { orderKey: "l" }, { orderKey: "k", from: "b" }];
  for (const more of [...lanesOf, { orderKey: "k", function: "other" }, {}, {}]) {
    expect(lanes.add(entry(more), id(JSON.stringify(more)))).toBe(true);
  }
  expect(lanes.remove(entry({}), id("{}"))).toBeUndefined();
});

test("one that goes out of its turn lets the others keep theirs", () => {
  const lanes = new OrderLanes();
  const one = entry({ orderKey: "k" });
  for (const name of ["1", "2", "3"]) lanes.add(one, id(name));
  expect(lanes.remove(one, id("2"))).toBeUndefined();
  expect(lanes.remove(one, id("1"))).toBe("3");
});
