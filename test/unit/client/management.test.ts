import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { connect, type Client } from "../../../src/client/index.js";
import { json, lines, problem, startFakeNode, type FakeNode } from "./fake-node.js";

let node: FakeNode;
let client: Client;

beforeEach(async () => {
  node = await startFakeNode();
  client = connect({ url: `${node.url}/`, token: "secret" });
});

afterEach(() => node.close());

test("a deploy sends the packed file and the configuration as a form", async () => {
  const dir = await mkdtemp(join(tmpdir(), "enoki-client-"));
  try {
    await writeFile(join(dir, "fn.py"), "def call(i): return i\n");
    node.on("PUT /v1/functions/hello", (_, response) => json(response, 201, { name: "hello" }));
    const info = await client.functions.deploy("hello", join(dir, "fn.py"), { memory: "64m" });
    expect(info.name).toBe("hello");
  } finally {
    await rm(dir, { recursive: true });
  }
  const seen = node.requests[0];
  expect(seen?.headers.authorization).toBe("Bearer secret");
  const headers = { "content-type": seen?.headers["content-type"] ?? "" };
  const form = await new Response(seen?.body, { headers }).formData();
  expect(await (form.get("config") as File).text()).toBe('{"memory":"64m"}');
  const archive = Buffer.from(await (form.get("archive") as File).arrayBuffer());
  expect(archive.subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");
  expect(archive.includes("fn.py")).toBe(true);
});

test("a deploy that takes longer than its wait is given up", async () => {
  node.on("PUT /v1/functions/hello", () => {});
  const deploying = client.functions.deploy("hello", new Uint8Array(), {}, { wait: "50ms" });
  await expect(deploying).rejects.toMatchObject({ code: "ENOKI_TIMEOUT" });
});

test("functions are listed, shown, rolled back and removed at their paths", async () => {
  node.on("GET /v1/functions", (_, response) =>
    json(response, 200, { functions: [{ name: "a" }] }),
  );
  node.on("GET /v1/functions/a", (_, response) => json(response, 200, { name: "a" }));
  node.on("GET /v1/functions/a/revisions", (_, r) => json(r, 200, { revisions: [{ number: 2 }] }));
  node.on("POST /v1/functions/a/rollback", (_, response) => json(response, 200, { revision: 1 }));
  node.on("DELETE /v1/functions/a", (_, response) => response.writeHead(204).end());
  expect(await client.functions.list()).toEqual([{ name: "a" }]);
  expect(await client.functions.get("a")).toEqual({ name: "a" });
  expect(await client.functions.revisions("a")).toEqual([{ number: 2 }]);
  expect(await client.functions.rollback("a", 1)).toEqual({ revision: 1 });
  expect(node.requests.at(-1)?.body.toString()).toBe('{"revision":1}');
  await client.functions.rollback("a");
  expect(node.requests.at(-1)?.body.toString()).toBe("{}");
  await client.functions.remove("a", { data: "delete" });
  expect(node.requests.at(-1)?.url).toBe("/v1/functions/a?data=delete");
});

test("logs come line by line", async () => {
  node.on("GET /v1/functions/a/logs", (_, response) =>
    lines(response, [{ text: "1" }, { text: "2" }]),
  );
  const texts = [];
  for await (const { text } of client.functions.logs("a", { tail: 5, follow: true }))
    texts.push(text);
  expect(texts).toEqual(["1", "2"]);
  expect(node.requests[0]?.url).toBe("/v1/functions/a/logs?tail=5&follow=true");
});

test("keygroups are made, changed and removed", async () => {
  node.on("POST /v1/keygroups", ({ body }, r) => json(r, 201, JSON.parse(body.toString())));
  node.on("PATCH /v1/keygroups/a", ({ body }, r) => json(r, 200, JSON.parse(body.toString())));
  node.on("DELETE /v1/keygroups/a", (_, response) => response.writeHead(204).end());
  const created = await client.keygroups.create("a", { durability: "strict" });
  expect(created).toEqual({ name: "a", durability: "strict" });
  expect(await client.keygroups.configure("a", { ttl: null })).toEqual({ ttl: null });
  await client.keygroups.remove("a");
});

test("invocations are filtered, shown, replayed and forgotten", async () => {
  node.on("GET /v1/invocations", (_, response) => json(response, 200, { invocations: [] }));
  node.on("GET /v1/invocations/1f", (_, response) => json(response, 200, { state: "dead" }));
  node.on("POST /v1/invocations/1f/replay", (_, response) =>
    json(response, 202, { state: "queued" }),
  );
  node.on("DELETE /v1/invocations/1f", (_, response) => response.writeHead(204).end());
  expect(await client.invocations.list({ function: "a", state: "dead", limit: 3 })).toEqual([]);
  expect(node.requests[0]?.url).toBe("/v1/invocations?function=a&state=dead&limit=3");
  expect(await client.invocations.get("1f")).toEqual({ state: "dead" });
  expect(await client.invocations.replay("1f")).toEqual({ state: "queued" });
  await client.invocations.remove("1f");
});

test("a problem of the admin port is thrown, and other failures get a code by their status", async () => {
  node.on("GET /v1/functions", (_, response) =>
    problem(response, 401, "ENOKI_UNAUTHORIZED", "the token is wrong"),
  );
  node.on("GET /v1/keygroups", (_, response) => response.writeHead(502).end("bad gateway\nmore"));
  await expect(client.functions.list()).rejects.toMatchObject({ code: "ENOKI_UNAUTHORIZED" });
  await expect(client.keygroups.list()).rejects.toMatchObject({
    code: "ENOKI_INTERNAL",
    status: 502,
    message: `${node.url}/v1/keygroups answered 502: bad gateway`,
  });
});
