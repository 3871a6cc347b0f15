import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const COMMAND = join(import.meta.dirname, "../../../dist/bench/command.js");

/** Starts a program, says its pid, and throws where nobody catches. */
const PROGRAM = `
import { runMeasuring } from ${JSON.stringify(COMMAND)};
await runMeasuring(async (resources) => {
  const code = "console.log(process.pid); setInterval(() => {}, 1000)";
  const server = await resources.startServer(process.execPath, ["-e", code]);
  console.log(server.pid);
  setTimeout(() => { throw new Error("out of nowhere"); });
  return new Promise(() => {});
});
`;

test("a command that measures and throws where nobody waits ends with 1, and all that it started with it", () => {
  const args = ["--input-type=module", "-e", PROGRAM];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain("out of nowhere");
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(0);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
