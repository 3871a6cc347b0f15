import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { FunctionInfo, FunctionNodeInfo } from "../../../src/client/index.js";
import { json, startFakeNode, type FakeNode } from "../client/fake-node.js";
import { runCli } from "./run-cli.js";

const ready: FunctionNodeInfo = { node: "edge1", present: true, state: "ready", revision: 2 };
const coming: FunctionNodeInfo = { node: "edge2", present: true, state: "pending", revision: 1 };
const absent: FunctionNodeInfo = {
  node: "edge3",
  present: false,
  state: "pending",
  revision: null,
};
const failed: FunctionNodeInfo = {
  node: "edge4",
  present: true,
  state: "failed",
  revision: 1,
  reason: "ENOKI_LOAD_FAILED: no camera",
};

let node: FakeNode;
let dir: string;
/** What the node says of its nodes, one answer after another; the last one stays. */
let answers: (readonly FunctionNodeInfo[])[];

function hello(): FunctionInfo {
  const nodes = answers.length > 1 ? answers.shift() : answers[0];
  return {
    name: "hello",
    revision: 2,
    runtime: "python",
    entry: "fn.py",
    url: "http://h/hello",
    keygroup: "hello",
    config: {},
    artefact: "abc",
    createdAt: "2026-01-01T00:00:00.000Z",
    status: {
      instances: 0,
      running: 0,
      queued: 0,
      invocationsTotal: 0,
      failuresTotal: 0,
      coldStartsTotal: 0,
    },
    ...(nodes === undefined ? {} : { nodes }),
  };
}

beforeEach(async () => {
  node = await startFakeNode();
  dir = await mkdtemp(join(tmpdir(), "enoki-cli-"));
  await writeFile(join(dir, "hello.py"), "");
  node.on("PUT /v1/functions/hello", (_, response) => json(response, 200, hello()));
  node.on("GET /v1/functions/hello", (_, response) => json(response, 200, hello()));
  node.on("GET /v1/functions", (_, response) => json(response, 200, { functions: [hello()] }));
});

afterEach(async () => {
  await node.close();
  await rm(dir, { recursive: true });
});

const deploy = (...flags: string[]) =>
  runCli(["deploy", join(dir, "hello.py"), ...flags], { node: node.url });

test("a deploy says which nodes it is for, and ends when all are ready", async () => {
  answers = [
    [ready, coming],
    [ready, coming],
    [ready, { ...coming, state: "ready" }],
  ];
  const { code, stdout, stderr } = await deploy("--to", "edge1,zone=north");
  expect([code, stdout]).toEqual([0, "http://h/hello\n"]);
  expect(stderr).toContain("edge1: ready\nedge2: ready\n");
  const put = node.requests.find(({ method }) => method === "PUT");
  expect(new URL(put?.url ?? "", "http://h").searchParams.get("to")).toBe("edge1,zone=north");
});

test("a node that is absent is not waited for, and neither is one where it failed", async () => {
  answers = [[ready, absent, failed]];
  const { code, stdout, stderr } = await deploy();
  expect([code, stdout]).toEqual([7, "http://h/hello\n"]);
  expect(stderr).toContain("edge3: pending: absent, follows by itself\n");
  expect(stderr).toContain("edge4: failed: ENOKI_LOAD_FAILED: no camera\n");
  expect(stderr).toContain("code: ENOKI_DEPLOY_INCOMPLETE");
  expect(stderr).toContain("edge3 pending, edge4 failed");
});

test("--wait also waits for those that are absent, and no longer than it says", async () => {
  answers = [
    [ready, absent],
    [ready, absent],
    [ready, { ...absent, state: "ready" }],
  ];
  expect((await deploy("--wait", "20s")).code).toBe(0);
  answers = [[ready, coming]];
  const { code, stderr } = await deploy("--wait", "300ms");
  expect(code).toBe(7);
  expect(stderr).toContain("edge2: pending: on its way\n");
});

test("describe has a row per node, ls says on how many a function is ready", async () => {
  answers = [[ready, absent, failed]];
  const described = await runCli(["functions", "describe", "hello"], { node: node.url });
  expect(described.stdout.split("\n").slice(-5)).toEqual([
    "NODE   REVISION  STATE",
    "edge1  2         ready",
    "edge3  -         pending: absent, follows by itself",
    "edge4  1         failed: ENOKI_LOAD_FAILED: no camera",
    "",
  ]);
  const listed = await runCli(["functions", "ls"], { node: node.url });
  expect(listed.stdout).toContain("REVISION  READY  INSTANCES");
  expect(listed.stdout).toContain("2         1/3 ");
});
