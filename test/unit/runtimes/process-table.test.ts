import { describe, expect, it } from "vitest";
import {
  familyOf,
  isAlive,
  parseStat,
  type ProcessRow,
} from "../../../src/runtimes/process-table.js";

function row(pid: number, parent: number, session = pid, group = session): ProcessRow {
  return { pid, state: "S", parent, group, session, startTicks: pid, residentPages: 1 };
}

describe("parseStat", () => {
  it("reads past a command with spaces and parentheses", () => {
    const text = `7 (a) b (c)) S 3 5 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 999 100 42 0`;
    expect(parseStat(7, text)).toEqual({
      pid: 7,
      state: "S",
      parent: 3,
      group: 5,
      session: 6,
      startTicks: 999,
      residentPages: 42,
    });
  });
});

describe("familyOf", () => {
  it("finds descendants in whatever order they are listed", () => {
    const rows = [row(4, 3), row(3, 2), row(2, 1), row(9, 1)];
    expect(familyOf(new Set([2]), rows).map(({ pid }) => pid)).toEqual([4, 3, 2]);
  });

  it("finds orphans by the session of one that has died", () => {
    expect(familyOf(new Set([2]), [row(5, 1, 2), row(6, 1, 6)]).map(({ pid }) => pid)).toEqual([5]);
  });
});

describe("isAlive", () => {
  it("tells this process from one that cannot be", () => {
    expect(isAlive(process.pid)).toBe(true);
    expect(isAlive(2 ** 22 + 1)).toBe(false);
  });
});
