import { expect, test } from "vitest";

import { runCli } from "./run-cli.js";

test("--version prints the version and nothing else", async () => {
  expect(await runCli(["--version"])).toMatchObject({ code: 0, stderr: "" });
  expect((await runCli(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
});

test("the help lists the verbs and the exit codes", async () => {
  const { code, stdout } = await runCli(["--help"]);
  expect(code).toBe(0);
  for (const word of ["up", "deploy", "invoke", "doctor", "Exit codes:"])
    expect(stdout).toContain(word);
});

test.each([
  [["deplay"], "(Did you mean deploy?)"],
  [["kv", "gett", "a", "b"], "(Did you mean get?)"],
  [["deploy", "--timeot", "5s"], "(Did you mean --timeout?)"],
  [["kv", "get", "a"], "missing required argument 'key'"],
  [["kv", "get", "a", "b", "c"], "too many arguments"],
])("%j is wrong use: exit code 2, the reason and the fix on stderr", async (args, reason) => {
  const { code, stdout, stderr } = await runCli(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(reason);
  expect(stderr).toContain("code: ENOKI_INVALID_INPUT");
  expect(stderr).toMatch(/^fix: /m);
});

test.each([
  [["logs", "f", "--tail", "many"], "--tail"],
  [["rollback", "f", "last"], "REVISION"],
  [["invoke", "f", "x", "-H", "no-colon"], "-H"],
  [["invoke", "f", "x", "--timeout", "5"], "a unit is missing"],
  [["deploy", ".", "--env", "NOVALUE"], "--env"],
  [["deploy", ".", "--name", "not_valid"], "not a valid function name"],
  [["kv", "set", "g", "k", "{", "--json"], "not JSON"],
  [["kv", "set", "g", "k", "x", "--json", "--bytes"], "exclude each other"],
  [["kv", "set", "g", "k", "@/does/not/exist"], "ENOENT"],
  [["kv", "set", "g", "k", "v", "--ttl", "10"], "ttl"],
  [["kv", "incr", "g", "k", "much"], "no number"],
  [["keygroups", "configure", "g"], "say what to change"],
  [["functions", "ls", "--node", "ftp://x"], "no address"],
  [["functions", "rm", "f", "--data", "burn"], "--data"],
])("%j is refused with what is wrong, before a node is asked", async (args, reason) => {
  const { code, stdout, stderr } = await runCli(args, { node: "http://127.0.0.1:1" });
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(reason);
});

test("no node: exit code 3, and the address and the fix are named", async () => {
  const { code, stderr } = await runCli(["functions", "ls"], { node: "http://127.0.0.1:1" });
  expect(code).toBe(3);
  expect(stderr).toContain("http://127.0.0.1:1");
  expect(stderr).toContain("code: ENOKI_NODE_UNREACHABLE");
  expect(stderr).toContain("fix: start one with `enoki up`, or set --node");
});
