import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { CallQueue } from "../../../src/functions/call-queue.js";
import { makeCall, RESPONSE } from "./calls.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("calls come out in the order in which they went in, also over thousands of them", () => {
  const queue = new CallQueue();
  const calls = Array.from({ length: 5000 }, () => makeCall().call);
  const taken = [];
  for (const [index, call] of calls.entries()) {
    queue.push(call);
    if (index % 3 === 2) taken.push(queue.shift());
  }
  expect(queue.length).toBe(5000 - taken.length);
  taken.push(...queue.takeAll());
  expect(taken).toEqual(calls);
  expect(queue.length).toBe(0);
  expect(queue.shift()).toBeUndefined();
});

test("a call that is given up while it waits is neither counted nor given out", () => {
  const queue = new CallQueue();
  const [first, second, third] = [makeCall().call, makeCall().call, makeCall().call];
  for (const call of [first, second, third]) queue.push(call);
  second.abandon(new EnokiError("ENOKI_TIMEOUT"));
  expect(queue.length).toBe(2);
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([first, third, undefined]);
  expect(queue.length).toBe(0);
});

test("a call that was given out no longer tells the queue when it is given up", () => {
  const queue = new CallQueue();
  const { call } = makeCall();
  queue.push(call);
  queue.push(makeCall().call);
  queue.shift();
  call.abandon(new EnokiError("ENOKI_TIMEOUT"));
  expect(queue.length).toBe(1);
});

test("a call is settled once: the first outcome counts, and its timer goes", () => {
  const { call, outcome } = makeCall(1000);
  expect(vi.getTimerCount()).toBe(1);
  expect(call.settle(RESPONSE)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  expect(call.settle(new EnokiError("ENOKI_TIMEOUT"))).toBe(false);
  expect(outcome()).toBe(RESPONSE);
});

test("a call that nobody settles ends at its deadline, and its holder is told", () => {
  const { call, outcome } = makeCall(1000);
  const onAbandoned = vi.fn();
  call.onAbandoned = onAbandoned;
  vi.advanceTimersByTime(999);
  expect(outcome()).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(outcome()).toMatchObject({ code: "ENOKI_TIMEOUT" });
  expect(onAbandoned).toHaveBeenCalledTimes(1);
});
