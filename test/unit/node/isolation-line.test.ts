import { expect, test } from "vitest";

import { isolationLine } from "../../../src/node/serve.js";

const SANDBOX = { isolations: ["process", "sandbox"], kinds: {} } as object;
const PROCESS = { isolations: ["process"], sandboxMissing: "no bwrap", kinds: {} } as object;

test.each([
  [SANDBOX, "cgroup v2", "sandbox, memory by cgroup v2"],
  [SANDBOX, "cgroup v1", "sandbox, memory by cgroup v1"],
  [SANDBOX, "watched RSS", "sandbox, memory by watched RSS"],
  [PROCESS, "cgroup v2", "process only, memory by cgroup v2 (no bwrap)"],
  [PROCESS, "cgroup v1", "process only, memory by cgroup v1 (no bwrap)"],
  [PROCESS, "watched RSS", "process only, memory by watched RSS (no bwrap)"],
])("the isolation line of %j with %s", (report, memoryLimit, line) => {
  expect(isolationLine({ ...report, memoryLimit } as never, undefined)).toBe(line);
});

test("the isolation line of a node that was told to run functions as processes says so", () => {
  const report = { ...SANDBOX, memoryLimit: "cgroup v2" } as never;
  const line = "process, sandbox for functions that ask for it, memory by cgroup v2";
  expect(isolationLine(report, "process")).toBe(line);
});
