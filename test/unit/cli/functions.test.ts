import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { FunctionInfo } from "../../../src/client/index.js";
import { json, lines, problem, startFakeNode, type FakeNode } from "../client/fake-node.js";
import { runCli, type CliOptions, type CliResult } from "./run-cli.js";

const STATUS = {
  instances: 1,
  running: 0,
  queued: 0,
  invocationsTotal: 3,
  failuresTotal: 1,
  coldStartsTotal: 1,
};
const HELLO: FunctionInfo = {
  name: "hello",
  revision: 2,
  runtime: "python",
  entry: "fn.py",
  url: "http://h/hello",
  keygroup: "hello",
  config: { timeout: "1m", env: { A: "secret" } },
  artefact: "abc",
  createdAt: "2026-01-01T00:00:00.000Z",
  status: STATUS,
};

let node: FakeNode;
let dir: string;

const enoki = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
  runCli(args, { node: node.url, ...options });

beforeEach(async () => {
  node = await startFakeNode();
  dir = await mkdtemp(join(tmpdir(), "enoki-cli-"));
  node.on("GET /v1/functions", (_, response) => json(response, 200, { functions: [HELLO] }));
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

test("ls is a table for people and JSON for programs", async () => {
  const { stdout } = await enoki(["functions", "ls"]);
  expect(stdout.split("\n")).toEqual([
    "NAME   RUNTIME  REVISION  INSTANCES  CALLS  FAILED  URL",
    "hello  python   2         1          3      1       http://h/hello",
    "",
  ]);
  expect(JSON.parse((await enoki(["functions", "ls", "--json"])).stdout)).toEqual([HELLO]);
});

test("without functions ls prints nothing on stdout and a hint on stderr", async () => {
  node.on("GET /v1/functions", (_, response) => json(response, 200, { functions: [] }));
  const { code, stdout, stderr } = await enoki(["functions", "ls"]);
  expect([code, stdout]).toEqual([0, ""]);
  expect(stderr).toContain("enoki deploy");
});

test("describe shows names of environment variables, not their values", async () => {
  node.on("GET /v1/functions/hello", (_, response) => json(response, 200, HELLO));
  const { stdout } = await enoki(["functions", "describe", "hello"]);
  expect(stdout).toMatch(/^env +A$/m);
  expect(stdout).not.toContain("secret");
});

test("a name that is almost right gets a suggestion", async () => {
  node.on("GET /v1/functions/helo", (_, response) =>
    problem(response, 404, "ENOKI_FUNCTION_NOT_FOUND", "there is no function helo"),
  );
  const { code, stderr } = await enoki(["functions", "describe", "helo"]);
  expect(code).toBe(1);
  expect(stderr).toContain("error: there is no function helo; did you mean hello?\n");
  expect(stderr).toContain("code: ENOKI_FUNCTION_NOT_FOUND\n");
});

test("a name that is like no other gets none, also when the list cannot be had", async () => {
  for (const [name, status] of [
    ["quite-other", 200],
    ["helo", 500],
  ] as const) {
    node.on(`GET /v1/functions/${name}`, (_, response) =>
      problem(response, 404, "ENOKI_FUNCTION_NOT_FOUND", "there is none"),
    );
    node.on("GET /v1/functions", (_, response) => json(response, status, { functions: [HELLO] }));
    expect((await enoki(["functions", "describe", name])).stderr).toContain(
      "error: there is none\n",
    );
  }
});

test("deploy packs, sends every flag, says what happens on stderr and prints the address", async () => {
  await writeFile(join(dir, "hello.py"), "def call(i): return i\n");
  node.on("PUT /v1/functions/hello", (_, response) => json(response, 201, HELLO));
  const flags =
    "--runtime python --env A=b=c --env D= --timeout 5s --memory 64m --cpu 0.5 --max-instances 3 " +
    "--concurrency 2 --isolation process --network host --allow-build --to fake --data replicate --wait 30s";
  const result = await enoki(["deploy", join(dir, "hello.py"), ...flags.split(" ")]);
  expect([result.code, result.stdout]).toEqual([0, "http://h/hello\n"]);
  expect(result.stderr).toMatch(
    /packed 1 file, .*\nbuilding hello …\nready in \d+ ms: revision 2, python, fn.py\n/,
  );
  expect(await sentConfig()).toEqual({
    runtime: "python",
    env: { A: "b=c", D: "" },
    timeout: "5s",
    memory: "64m",
    cpu: "0.5",
    maxInstances: 3,
    concurrency: 2,
    isolation: "process",
    network: "host",
    allowBuild: true,
  });
});

test("a deploy without flags sends no settings, so that a redeploy keeps them", async () => {
  await writeFile(join(dir, "hello.py"), "");
  node.on("PUT /v1/functions/hello", (_, response) => json(response, 200, HELLO));
  const { stdout } = await enoki(["deploy", join(dir, "hello.py"), "--json"]);
  expect(JSON.parse(stdout)).toEqual(HELLO);
  expect(await sentConfig()).toEqual({});
});

test.each([
  ["moving average.py", "moving-average"],
  ["_x_.ts", "x"],
  ["v1.2.py", "v1-2"],
])("the file %s becomes the function %s", async (file, name) => {
  await writeFile(join(dir, file), "");
  node.on(`PUT /v1/functions/${name}`, (_, response) => json(response, 200, HELLO));
  expect((await enoki(["deploy", join(dir, file)])).code).toBe(0);
});

test("where the data are to lie goes to the node, which knows the nodes", async () => {
  await writeFile(join(dir, "hello.py"), "");
  node.on("PUT /v1/functions/hello", (_, response) => json(response, 200, HELLO));
  expect((await enoki(["deploy", join(dir, "hello.py"), "--data", "at:cloud"])).code).toBe(0);
  const put = node.requests.find(({ method }) => method === "PUT");
  expect(new URL(put?.url ?? "", "http://h").searchParams.get("data")).toBe("at:cloud");
});

test("rm --from takes a function off one node, and says what that may have cost", async () => {
  let lost: number | null = 0;
  node.on("DELETE /v1/functions/hello/nodes/edge2", (_, response) =>
    json(response, 200, { name: "hello", node: "edge2", lost }),
  );
  const undeploy = (...flags: string[]) =>
    enoki(["functions", "rm", "hello", "--from", "edge2", ...flags]);
  expect((await undeploy()).stdout).toBe("removed hello from edge2\n");
  lost = 3;
  expect((await undeploy("--force", "--data", "keep", "--wait", "1m")).stdout).toContain(
    "removed hello from edge2; no other replica had 3 writes",
  );
  expect(node.requests.at(-1)?.url).toContain("?force=true&wait=1m&data=keep");
  lost = null;
  expect((await undeploy("--force")).stdout).toContain("which could not be asked");
  expect((await undeploy("--data", "delete")).code).toBe(2);
  expect((await enoki(["functions", "rm", "hello", "--force"])).code).toBe(2);
});

test("a failed deploy shows the function's own traceback and exits with 5", async () => {
  await writeFile(join(dir, "hello.py"), "");
  node.on("PUT /v1/functions/hello", (_, response) =>
    problem(response, 422, "ENOKI_LOAD_FAILED", "it does not load", {
      traceback: "Traceback\n  File x",
    }),
  );
  const { code, stdout, stderr } = await enoki(["deploy", join(dir, "hello.py")]);
  expect([code, stdout]).toEqual([5, ""]);
  expect(stderr).toContain("error: it does not load\n  Traceback\n    File x\n");
});

test("invoke prints the body as it is", async () => {
  node.on("POST /hello", ({ body }, response) => response.end(Buffer.concat([body, Buffer.of(0)])));
  const { code, stdoutBytes } = await enoki(["invoke", "hello", "-"], { stdin: Buffer.of(0xff) });
  expect([code, stdoutBytes]).toEqual([0, Buffer.of(0xff, 0)]);
  expect(node.requests.at(-1)?.headers["content-type"]).toBe("application/octet-stream");
});

test("invoke sends method, headers, path and timeout", async () => {
  node.on("PUT /hello/a", (_, response) => response.end("ok"));
  await enoki([
    "invoke",
    "hello",
    "x",
    "-X",
    "PUT",
    "-H",
    "X-A: b:c",
    "--path",
    "/a",
    "--timeout",
    "2s",
  ]);
  expect(node.requests.at(-1)?.headers).toMatchObject({
    "x-a": "b:c",
    "enoki-timeout": "2s",
    "content-type": "text/plain; charset=utf-8",
  });
});

test("a function's own failure status prints its body and exits with 5", async () => {
  node.on("POST /hello", (_, response) => response.writeHead(404).end("my own 404"));
  expect(await enoki(["invoke", "hello"])).toMatchObject({
    code: 5,
    stdout: "my own 404",
    stderr: "error: the function answered 404\n",
  });
});

test.each([
  [500, "ENOKI_FUNCTION_ERROR", 5],
  [503, "ENOKI_QUEUE_FULL", 7],
  [401, "ENOKI_UNAUTHORIZED", 4],
])(
  "a problem of the platform (%i %s) exits with %i and leaves stdout empty",
  async (status, code, exit) => {
    node.on("POST /hello", (_, response) => problem(response, status, code, "no"));
    const result = await enoki(["invoke", "hello"]);
    expect([result.code, result.stdout]).toEqual([exit, ""]);
    expect(result.stderr).toContain(`code: ${code}`);
  },
);

test("invoke --async prints the id, and its result is fetched later", async () => {
  const id = "0123456789abcdef0123456789abcdef";
  node.on("POST /hello", (_, response) =>
    response.writeHead(202, { location: `/_enoki/invocations/${id}` }).end(),
  );
  expect((await enoki(["invoke", "hello", "--async"])).stdout).toBe(`${id}\n`);

  node.on(`GET /_enoki/invocations/${id}`, (_, response) => response.writeHead(202).end());
  const waiting = await enoki(["invocations", "show", id, "--result"]);
  expect([waiting.code, waiting.stdout]).toEqual([5, ""]);
  node.on(`GET /_enoki/invocations/${id}`, (_, response) => response.end("done"));
  expect((await enoki(["invocations", "show", id, "--result"])).stdout).toBe("done");
});

test("invoke --json tells status and headers, and parses a JSON body", async () => {
  node.on("POST /hello", (_, response) => json(response, 201, { a: 1 }));
  const { stdout } = await enoki(["invoke", "hello", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    status: 201,
    headers: { "content-type": "application/json" },
    body: { a: 1 },
  });
});

test("logs show time, stream and the beginning of the invocation's id", async () => {
  const entry = {
    at: "2026-01-01T10:20:30.456Z",
    stream: "stderr",
    invocation: "0123456789abcdef0123456789abcdef",
    text: "oh",
  };
  node.on("GET /v1/functions/hello/logs", (_, response) => lines(response, [entry]));
  expect((await enoki(["logs", "hello"])).stdout).toBe("10:20:30.456 stderr   01234567 oh\n");
  expect((await enoki(["logs", "hello", "--json"])).stdout).toBe(`${JSON.stringify(entry)}\n`);
});

test("the token of --token or ENOKI_TOKEN is sent, and the flag wins", async () => {
  await enoki(["functions", "ls"], { env: { ENOKI_TOKEN: "from-env" } });
  await enoki(["functions", "ls", "--token", "from-flag"], { env: { ENOKI_TOKEN: "from-env" } });
  expect(node.requests.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer from-env",
    "Bearer from-flag",
  ]);
});

test("keygroups take their settings, and none ends a lifetime", async () => {
  const keygroup = {
    name: "g",
    policy: "lww",
    durability: "strict",
    ttl: null,
    storage: "lmdb",
    keys: 0,
    sizeBytes: 0,
    members: ["n"],
  };
  node.on("POST /v1/keygroups", (_, response) => json(response, 201, keygroup));
  node.on("PATCH /v1/keygroups/g", (_, response) => json(response, 200, keygroup));
  await enoki([
    "keygroups",
    "create",
    "g",
    "--durability",
    "strict",
    "--ttl",
    "7d",
    "--policy",
    "merge",
  ]);
  expect(JSON.parse(node.requests[0]?.body.toString() ?? "")).toEqual({
    name: "g",
    durability: "strict",
    ttl: "7d",
    policy: "merge",
  });
  const { stdout } = await enoki(["keygroups", "configure", "g", "--ttl", "none"]);
  expect(JSON.parse(node.requests[1]?.body.toString() ?? "")).toEqual({ ttl: null });
  expect(stdout).toMatch(/^ttl +none$/m);
});

test("nodes ls has a row for each node that is known", async () => {
  const edge1 = {
    name: "edge1",
    self: true,
    state: "up",
    version: "1",
    platform: "linux-x64",
    storage: "lmdb",
    labels: { zone: "north", tier: "edge" },
    links: ["127.0.0.1:7000"],
    functions: ["hello"],
    keygroups: ["hello", "data"],
  };
  const edge2 = { ...edge1, name: "edge2", self: false, state: "away", labels: {}, links: [] };
  const nodes = [edge1, { ...edge2, functions: [], keygroups: [] }];
  node.on("GET /v1/nodes", (_, response) => json(response, 200, { nodes }));
  expect((await enoki(["nodes", "ls"])).stdout).toBe(
    [
      "NAME     STATE  VERSION  PLATFORM   STORAGE  LABELS                LINKS           FUNCTIONS  KEYGROUPS",
      "edge1 *  up     1        linux-x64  lmdb     zone=north,tier=edge  127.0.0.1:7000  hello      hello,data",
      "edge2    away   1        linux-x64  lmdb     -                     -               -          -",
      "",
    ].join("\n"),
  );
  expect(JSON.parse((await enoki(["nodes", "ls", "--json"])).stdout)).toEqual(nodes);
});
