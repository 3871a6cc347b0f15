import { createSocket } from "node:dgram";
import { spawnSync } from "node:child_process";
import { appendFile, mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

import { checkDisk, checkNode, runChecks } from "../../../src/cli/checks.js";
import { checkPort } from "../../../src/cli/port-check.js";
import { watchSource } from "../../../src/cli/source-watch.js";
import { runCli } from "./run-cli.js";

const TYPESCRIPT = fileURLToPath(
  new URL("../../../node_modules/typescript/bin/tsc", import.meta.url),
);

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "enoki-cli-"));
});

afterEach(() => rm(dir, { recursive: true }));

test.each([
  ["python", ["README.md", "main.py"]],
  ["typescript", ["README.md", "index.ts", "package.json", "tsconfig.json"]],
])("init %s makes the files of the template, with the function's name", async (template, files) => {
  const target = join(dir, "my greeter");
  const { code, stdout, stderr } = await runCli(["init", template, target]);
  expect(code).toBe(0);
  expect(stdout.trim().split("\n")).toEqual(files.map((file) => join(target, file)));
  expect(stderr).toContain("enoki invoke my-greeter");
  const readme = await readFile(join(target, "README.md"), "utf8");
  expect(readme).toContain("enoki deploy . --name my-greeter");
  expect(readme).not.toContain("FUNCTION_NAME");
});

test("init typescript finds the types of enoki, and there is nothing to install for them", async () => {
  const target = join(dir, "typed");
  await runCli(["init", "typescript", target]);
  const manifest = JSON.parse(await readFile(join(target, "package.json"), "utf8")) as object;
  expect(Object.keys(manifest).filter((name) => /dependencies/i.test(name))).toEqual([]);
  await appendFile(join(target, "index.ts"), `export const wrong: number = kv.get("key");\n`);
  const { stdout } = spawnSync(process.execPath, [TYPESCRIPT, "-p", target], { encoding: "utf8" });
  expect(stdout.match(/error TS\d+/g)).toEqual(["error TS2322"]);
});

test("init overwrites nothing and knows its templates", async () => {
  await writeFile(join(dir, "mine"), "mine");
  const full = await runCli(["init", "python", dir]);
  expect([full.code, full.stderr.split("\n")[0]]).toEqual([2, `error: ${dir} is not empty`]);
  const typo = await runCli(["init", "pyton", join(dir, "new")]);
  expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining("did you mean python?")]);
  const file = await runCli(["init", "python", join(dir, "mine")]);
  expect(file.code).toBe(2);
});

test.each([
  ["20.18.9", false],
  ["20.19.0", true],
  ["22.0.0", true],
  ["18.20.0", false],
])("Node %s is new enough: %s", (version, ok) => {
  const result = checkNode(version);
  expect([result.ok, result.fix === undefined]).toEqual([ok, ok]);
});

test("a port is free, used by a node, or occupied by something else", async () => {
  let greeting = "Enoki: call a function\n";
  const server = createServer((_, response) => response.end(greeting));
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as AddressInfo;
  const check = () => checkPort({ port, flag: "--admin-port" });
  expect(await check()).toMatchObject({ ok: true, detail: `${port} is used by an Enoki node` });
  greeting = "another program";
  expect(await check()).toMatchObject({
    ok: false,
    detail: `${port} is occupied`,
    fix: "choose another with --admin-port",
  });
  expect(await checkPort({ port, flag: "--grpc-port" })).toMatchObject({ ok: false });
  await new Promise((resolve) => server.close(resolve));
  expect(await check()).toMatchObject({ ok: true, detail: `${port} is free` });
});

test("a port of UDP is occupied by what does not answer as a node", async () => {
  const socket = createSocket("udp4");
  let answer = Buffer.from("?");
  socket.on("message", (_, { port }) => socket.send(answer, port, "127.0.0.1"));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  const check = () => checkPort({ port, flag: "--coap-port" });
  expect(await check()).toMatchObject({ ok: false, fix: "choose another with --coap-port" });
  answer = Buffer.from("\x60E\x45n\xffEnoki: call a function");
  expect(await check()).toMatchObject({ ok: true, detail: `${port} is used by an Enoki node` });
  await new Promise<void>((resolve) => socket.close(resolve));
  expect(await check()).toMatchObject({ ok: true, detail: `${port} is free` });
});

test("the disk is checked also where the data directory does not exist yet", async () => {
  const { name, detail } = await checkDisk(join(dir, "not", "yet"));
  expect(name).toBe("disk");
  expect(detail).toMatch(/iB free for .*not\/yet$/);
});

test("doctor gives a line to each check, and what is missing comes with the fix", async () => {
  const results = await runChecks({ dataDir: dir, ports: [{ port: 0, flag: "--admin-port" }] });
  const names = results.map(({ name }) => name);
  expect(names).toEqual(["node", "python", "bubblewrap", "cgroup", "port", "disk", "flock"]);
  for (const { ok, fix } of results) expect(ok || fix !== undefined).toBe(true);

  const ports = ["--function-port", "0", "--admin-port", "0"];
  const { stdout } = await runCli(["doctor", "--data-dir", dir, ...ports]);
  expect(stdout.trim().split("\n")).toHaveLength(8);
  expect(stdout).toMatch(/^✓ node +\d/m);
});

test("a save is noticed once, in folders below too, and other files are ignored", async () => {
  await mkdir(join(dir, "lib"));
  await mkdir(join(dir, "node_modules"));
  const controller = new AbortController();
  const changes: (string | undefined)[] = [];
  for await (const change of watchSource(dir, controller.signal)) {
    changes.push(change);
    if (change !== undefined) controller.abort();
    else {
      await writeFile(join(dir, "node_modules", "a.js"), "ignored");
      await writeFile(join(dir, "lib", "b.js"), "1");
      await writeFile(join(dir, "lib", "b.js"), "2");
    }
  }
  expect(changes).toEqual([undefined, "lib/b.js"]);
});

test("a single file is watched without its neighbours", async () => {
  const path = join(dir, "fn.py");
  await writeFile(path, "1");
  const controller = new AbortController();
  const changes: (string | undefined)[] = [];
  for await (const change of watchSource(path, controller.signal)) {
    changes.push(change);
    if (change !== undefined) controller.abort();
    else {
      await writeFile(join(dir, "other.py"), "ignored");
      await writeFile(path, "2");
    }
  }
  expect(changes).toEqual([undefined, "fn.py"]);
});
