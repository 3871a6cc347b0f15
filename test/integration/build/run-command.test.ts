import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expect, test, vi } from "vitest";

import { runCommand } from "../../../src/functions/build/run-command.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

/** Writes the process id of a grandchild to the file `pid`, then waits for it, for ever. */
const SLEEPER = "sleep 1000 & echo $! > pid.new; mv pid.new pid; wait";

async function readPid(cwd: string): Promise<number> {
  const read = () => readFile(join(cwd, "pid"), "utf8");
  return Number(await vi.waitFor(read, { timeout: 10_000, interval: 5 }));
}

/** A process that has ended but was not collected by its parent yet counts as gone. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return !status.includes(") Z ");
}

async function expectGone(pid: number): Promise<void> {
  const check = async () => expect(await isAlive(pid)).toBe(false);
  await vi.waitFor(check, { timeout: 5000, interval: 10 });
}

test("a program's exit code, its output and its arguments come through", async () => {
  const cwd = await temporaryFolder();
  const args = ["-c", 'printf "%s|" "$@"; pwd; echo oops >&2; exit 7', "sh", "a b", "$x", "*"];
  const { exitCode, output } = await runCommand({ program: "sh", args, cwd });
  expect(exitCode).toBe(7);
  expect(output).toBe(`a b|$x|*|${cwd}\noops\n`);
});

test("a program that does not exist ends with 127, and one that reads stdin finds it empty", async () => {
  const cwd = await temporaryFolder();
  expect((await runCommand({ program: "no-such-program", args: [], cwd })).exitCode).toBe(127);
  expect(await runCommand({ program: "cat", args: [], cwd })).toEqual({ exitCode: 0, output: "" });
});

test("long output is cut at its beginning", async () => {
  const cwd = await temporaryFolder();
  const program = `process.stdout.write("x".repeat(1e6) + "the end")`;
  const { output } = await runCommand({ program: process.execPath, args: ["-e", program], cwd });
  expect(output.length).toBe(256 * 1024);
  expect(output.endsWith("the end")).toBe(true);
});

test("the node's own settings and secrets are not handed on, everything else is", async () => {
  const cwd = await temporaryFolder();
  vi.stubEnv("ENOKI_ADMIN_TOKEN", "hunter2");
  vi.stubEnv("PIP_INDEX_URL", "http://localhost/simple");
  const { output } = await runCommand({ program: "env", args: [], cwd, env: { EXTRA: "1" } });
  vi.unstubAllEnvs();
  expect(output).not.toContain("hunter2");
  expect(output).toContain("PIP_INDEX_URL=http://localhost/simple");
  expect(output).toContain("EXTRA=1");
});

test("a program that takes too long is ended with everything it started", async () => {
  const cwd = await temporaryFolder();
  const running = runCommand({ program: "sh", args: ["-c", SLEEPER], cwd, timeoutMs: 500 });
  await expect(running).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringContaining("500 ms") as string,
  });
  await expectGone(await readPid(cwd));
});

test("a program that is given up is ended with everything it started", async () => {
  const cwd = await temporaryFolder();
  const abort = new AbortController();
  const running = runCommand({ program: "sh", args: ["-c", SLEEPER], cwd, signal: abort.signal });
  const pid = await readPid(cwd);
  abort.abort(new Error("shutting down"));
  await expect(running).rejects.toThrow("shutting down");
  await expectGone(pid);
});

test("what a program leaves running is ended with it", async () => {
  const cwd = await temporaryFolder();
  const left = "sleep 1000 & echo $! > pid.new; mv pid.new pid";
  await runCommand({ program: "sh", args: ["-c", left], cwd });
  await expectGone(await readPid(cwd));
});

test("nothing is left of a build when the node is killed", async () => {
  const cwd = await temporaryFolder();
  const module = join(cwd, "run-command.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "../../../src/functions/build/run-command.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: module,
  });
  const program = `import { runCommand } from ${JSON.stringify(pathToFileURL(module).href)};
    await runCommand({ program: "sh", args: ["-c", ${JSON.stringify(SLEEPER)}], cwd: ${JSON.stringify(cwd)} });`;
  const node = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "ignore" });
  const pid = await readPid(cwd);
  expect(await isAlive(pid)).toBe(true);
  node.kill("SIGKILL");
  await once(node, "exit");
  await expectGone(pid);
});
