import { describe, expect, test } from "vitest";

import { CallLine } from "../../../src/functions/call-line.js";

/** A line whose guest watches its calls: the first one asked for it and was answered at once. */
function guardedLine(aheadMax = 2): CallLine {
  const line = new CallLine(aheadMax);
  line.add(1, 0);
  line.asksForGuard(1);
  line.answered(1, 0);
  return line;
}

describe("a line of calls", () => {
  test("takes nothing ahead before its guest has shown that it watches its calls", () => {
    const line = new CallLine(2);
    expect(line.add(1, 0)).toBe(true);
    expect(line.hasRoomAhead).toBe(false);
    expect(line.asksForGuard(1)).toBe(true);
    expect(line.asksForGuard(1), "it asks once").toBe(false);
    expect(line.hasRoomAhead).toBe(false);
    line.answered(1, 1);
    expect(line.hasRoomAhead).toBe(true);
  });

  test("says which call begins when the one before it is answered", () => {
    const line = guardedLine();
    expect([line.add(2, 0), line.add(3, 0), line.add(4, 0)]).toEqual([true, false, false]);
    expect([line.ahead, line.hasRoomAhead]).toEqual([2, false]);
    expect([2, 3, 4].map((id) => line.isAhead(id))).toEqual([false, true, true]);
    expect(line.answered(2, 1)).toBe(3);
    expect(line.answered(4, 1), "one that was cancelled ahead").toBeUndefined();
    expect(line.answered(3, 1)).toBeUndefined();
    expect(line.ahead).toBe(0);
  });

  test("takes three ahead at most, and all that its guest takes once its calls wait for nothing", () => {
    const line = guardedLine(15);
    const fill = (): number => {
      for (let id = 10 + line.ahead; line.hasRoomAhead; id++) line.add(id, 0);
      return line.ahead;
    };
    line.add(2, 0);
    expect(fill()).toBe(3);
    line.isSteady = true;
    expect(fill()).toBe(15);
  });

  test("takes nothing ahead while calls take long, and again once they are quick", () => {
    const line = guardedLine();
    line.add(2, 0);
    line.answered(2, 200);
    expect(line.hasRoomAhead).toBe(false);
    let quick = 0;
    for (; !line.hasRoomAhead; quick++) {
      line.add(3, 0);
      line.answered(3, 0);
    }
    expect(quick).toBeGreaterThan(5);
  });

  test("takes nothing ahead for a while after a call came back", () => {
    const line = guardedLine();
    line.add(2, 0);
    line.add(3, 0);
    expect(line.returned(3, 20)).toBeUndefined();
    expect(line.hasRoomAhead).toBe(false);
    expect(line.isAhead(3)).toBe(false);
  });

  test("a call that comes back just as it was to begin leaves its place to the next", () => {
    const line = guardedLine();
    for (const id of [2, 3, 4]) line.add(id, 0);
    expect(line.answered(2, 1)).toBe(3);
    expect(line.returned(3, 1)).toBe(4);
  });

  test("hands out what has not begun when the process is gone", () => {
    const line = guardedLine();
    for (const id of [2, 3, 4]) line.add(id, 0);
    expect(line.takeAhead()).toEqual([3, 4]);
    expect(line.ahead).toBe(0);
  });
});
