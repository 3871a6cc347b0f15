import { expect, test } from "vitest";

import { groupOf, summarize, type ProfileNode } from "../../../src/bench/profile-summary.js";

function node(id: number, functionName: string, url = "", children: number[] = []): ProfileNode {
  return { id, callFrame: { functionName, url, lineNumber: 0 }, children };
}

const DIST = "file:///x/dist";

test("code belongs to its module, native code to its caller, but for writes", () => {
  const group = (name: string, url?: string, caller?: string) =>
    groupOf(node(1, name, url), caller);
  expect(group("f", `${DIST}/channel/frames.js`)).toBe("channel");
  expect(group("f", "file:///x/node_modules/lmdb/write.js")).toBe("lmdb");
  expect(group("f", "file:///x/node_modules/@a/b/c.js")).toBe("@a/b");
  expect(group("f", "node:_http_server")).toBe("node:http");
  expect(group("f", "node:internal/streams/readable")).toBe("node:net, streams");
  expect(group("getByBinary", "", "lmdb")).toBe("lmdb");
  expect(group("writev", "", "node:net, streams")).toBe("system calls (write)");
  expect(group("(garbage collector)", "", "lmdb")).toBe("garbage collector");
});

test("shares are of busy time between two times, recursion counted once", () => {
  const profile = {
    nodes: [
      node(1, "(root)", "", [2, 3]),
      node(2, "(idle)"),
      node(3, "outer", `${DIST}/channel/a.js`, [4]),
      node(4, "inner", `${DIST}/core/b.js`, [5]),
      node(5, "outer", `${DIST}/channel/a.js`),
    ],
    startTime: 1000,
    samples: [3, 3, 4, 5, 2, 3],
    timeDeltas: [0, 100, 300, 100, 100, 700],
  };
  // The first sample lies before the window; after the fifth the thread was idle.
  const summary = summarize(profile, { startUs: 1050, endUs: 9000 });
  const byName = Object.fromEntries(summary.groups.map((shares) => [shares.name, shares]));
  expect(byName["channel"]).toEqual({ name: "channel", self: 0.8, inclusive: 1 });
  expect(byName["core"]).toEqual({ name: "core", self: 0.2, inclusive: 0.4 });
  expect(summary.selfTimes[0]?.name).toBe("outer channel/a.js:1");
  expect(summary.inclusiveTimes[0]).toEqual({
    name: "outer channel/a.js:1",
    self: 0.8,
    inclusive: 1,
  });
});
