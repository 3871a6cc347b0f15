import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import type { InvocationId } from "../../../src/core/ids.js";
import { DueQueue } from "../../../src/functions/outbox/due-queue.js";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A queue, and what it gave out so far. */
function drainingQueue(): { queue: DueQueue; taken: string[] } {
  const taken: string[] = [];
  const queue: DueQueue = new DueQueue(clock, () => {
    for (let id = queue.takeDue(); id !== undefined; id = queue.takeDue()) taken.push(id);
  });
  return { queue, taken };
}

const idOf = (text: string): InvocationId => text as InvocationId;

test("what is due comes out by its time, and by its arrival where the time is the same", () => {
  const { queue, taken } = drainingQueue();
  const prng = createPrng(1);
  const start = Date.now();
  const added = Array.from({ length: 500 }, (_, index) => {
    return { id: `${index}`, atMs: start + prng.below(50) };
  });
  for (const { id, atMs } of added) queue.add(idOf(id), atMs);
  expect(taken, "never from within add").toEqual([]);
  vi.advanceTimersByTime(60);
  expect(taken).toEqual(added.toSorted((a, b) => a.atMs - b.atMs).map(({ id }) => id));
});

test("nothing comes out before its time, and one timer serves all", () => {
  const { queue, taken } = drainingQueue();
  queue.add(idOf("late"), Date.now() + 1000);
  queue.add(idOf("soon"), Date.now() + 100);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(99);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(taken).toEqual(["soon"]);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(900);
  expect(taken).toEqual(["soon", "late"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what was due long ago comes out at once", () => {
  const { queue, taken } = drainingQueue();
  queue.add(idOf("old"), 0);
  vi.advanceTimersByTime(0);
  expect(taken).toEqual(["old"]);
});

test("a time beyond the longest timer is waited for in pieces", () => {
  const { queue, taken } = drainingQueue();
  const longMs = 2 ** 31 + 5000;
  queue.add(idOf("far"), Date.now() + longMs);
  vi.advanceTimersByTime(longMs - 1);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(taken).toEqual(["far"]);
});

test("a wall clock that goes back delays, and loses nothing", () => {
  const { queue, taken } = drainingQueue();
  const dueMs = Date.now() + 100;
  queue.add(idOf("one"), dueMs);
  vi.setSystemTime(Date.now() - 50);
  vi.advanceTimersByTime(100);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(50);
  expect(taken).toEqual(["one"]);
});

test("a stopped queue sets no timer", () => {
  const { queue, taken } = drainingQueue();
  queue.add(idOf("one"), Date.now() + 100);
  queue.stop();
  queue.add(idOf("two"), Date.now());
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1000);
  expect(taken).toEqual([]);
});
