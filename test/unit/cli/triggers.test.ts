import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { json, startFakeNode, type FakeNode } from "../client/fake-node.js";
import { runCli, type CliResult } from "./run-cli.js";

const HELLO = {
  name: "hello",
  revision: 2,
  runtime: "python",
  entry: "hello.py",
  url: "http://h/hello",
  keygroup: "hello",
  config: {},
  artefact: "abc",
  createdAt: "2026-01-01T00:00:00.000Z",
  status: {
    instances: 1,
    running: 0,
    queued: 0,
    invocationsTotal: 3,
    failuresTotal: 1,
    coldStartsTotal: 1,
  },
};

let node: FakeNode;
let dir: string;

const enoki = (args: readonly string[]): Promise<CliResult> => runCli(args, { node: node.url });

beforeEach(async () => {
  node = await startFakeNode();
  dir = await mkdtemp(join(tmpdir(), "enoki-cli-"));
});

afterEach(async () => {
  await node.close();
  await rm(dir, { recursive: true });
});

async function sentConfig(): Promise<unknown> {
  const put = node.requests.find(({ method }) => method === "PUT");
  const headers = { "content-type": put?.headers["content-type"] ?? "" };
  const form = await new Response(put?.body, { headers }).formData();
  return JSON.parse(await (form.get("config") as File).text()) as unknown;
}

test.each([
  [
    "--on keygroup:a/x --at one --on keygroup:b",
    [{ on: "keygroup:a/x", at: "one" }, { on: "keygroup:b" }],
  ],
  ["--on keygroup:a --on none", []],
])("%s belong together, each --at to the --on before it", async (flags, triggers) => {
  await writeFile(join(dir, "hello.py"), "");
  node.on("PUT /v1/functions/hello", (_, response) => json(response, 200, HELLO));
  await enoki(["deploy", join(dir, "hello.py"), ...flags.split(" ")]);
  expect(await sentConfig()).toEqual({ triggers });
});

test.each(["--at one", "--on none --at one", "--on keygroup:a --at one --at every"])(
  "%s is refused: there is no --on for it",
  async (flags) => {
    await writeFile(join(dir, "hello.py"), "");
    const { code, stderr } = await enoki(["deploy", join(dir, "hello.py"), ...flags.split(" ")]);
    expect([code, node.requests]).toEqual([2, []]);
    expect(stderr).toContain("it goes behind an --on");
  },
);

test("describe has a line per trigger", async () => {
  const triggers = [
    { on: "keygroup:a/x", at: "one" },
    { on: "keygroup:b", at: "origin" },
  ];
  const info = { ...HELLO, config: { ...HELLO.config, triggers } };
  node.on("GET /v1/functions/hello", (_, response) => json(response, 200, info));
  const { stdout } = await enoki(["functions", "describe", "hello"]);
  expect(stdout).toMatch(/^trigger +keygroup:a\/x \(one\)\ntrigger +keygroup:b \(origin\)$/m);
});
