import { afterEach, beforeEach, expect, test } from "vitest";

import { connect } from "../../../src/client/index.js";
import { json, problem, startFakeNode, type FakeNode } from "./fake-node.js";

let node: FakeNode;

beforeEach(async () => {
  node = await startFakeNode();
});

afterEach(() => node.close());

test("text, JSON, bytes and nothing arrive with the content type that says what they are", async () => {
  node.on("POST /echo", ({ headers, body }, response) =>
    json(response, 200, [headers["content-type"] ?? null, body.toString("latin1")]),
  );
  const client = connect(node.url);
  const sent = async (data?: Parameters<typeof client.call>[1]): Promise<unknown> =>
    (await client.call("echo", data)).json();
  expect(await sent("hä")).toEqual(["text/plain; charset=utf-8", "h\u00c3\u00a4"]);
  expect(await sent({ a: [1] })).toEqual(["application/json", '{"a":[1]}']);
  expect(await sent(Uint8Array.of(0, 255))).toEqual(["application/octet-stream", "\u0000\u00ff"]);
  expect(await sent()).toEqual([null, ""]);
});

test("method, path, headers, timeout and idempotency key reach the function port", async () => {
  node.on("PUT /echo/a/b", (_, response) => response.end("ok"));
  await connect(node.url).call("echo", "x", {
    method: "put",
    path: "/a/b?c=1",
    headers: { "X-Own": "yes", "content-type": "text/csv" },
    timeout: "5s",
    idempotencyKey: "k1",
  });
  const seen = node.requests.at(-1);
  expect(seen?.url).toBe("/echo/a/b?c=1");
  expect(seen?.headers).toMatchObject({
    "x-own": "yes",
    "content-type": "text/csv",
    "enoki-timeout": "5s",
    "idempotency-key": "k1",
  });
});

test("a function's own status and body come back as an answer, also 404 and 302", async () => {
  node.on("POST /own", (_, response) => response.writeHead(404, { "x-a": "b" }).end("not here"));
  node.on("POST /moved", (_, response) => response.writeHead(302, { location: "/own" }).end());
  const client = connect(node.url);
  const answer = await client.call("own");
  expect([answer.status, answer.text(), answer.headers.get("x-a")]).toEqual([404, "not here", "b"]);
  expect((await client.call("moved")).status).toBe(302);
});

test("a problem document becomes an error with its code, status, detail and further members", async () => {
  node.on("POST /bad", (_, response) =>
    problem(response, 500, "ENOKI_FUNCTION_ERROR", "it threw", { errorType: "ValueError" }),
  );
  await expect(connect(node.url).call("bad")).rejects.toMatchObject({
    name: "EnokiError",
    code: "ENOKI_FUNCTION_ERROR",
    status: 500,
    message: "it threw",
    extra: { errorType: "ValueError" },
  });
});

test("a code that this version does not know is kept", async () => {
  node.on("POST /bad", (_, response) => problem(response, 418, "ENOKI_TEAPOT", "short and stout"));
  await expect(connect(node.url).call("bad")).rejects.toMatchObject({
    code: "ENOKI_TEAPOT",
    status: 418,
  });
});

test("the address of the function port is asked for once, also by calls at the same time", async () => {
  node.on("POST /f", (_, response) => response.end("ok"));
  const client = connect(node.url);
  await Promise.all([client.call("f"), client.call("f"), client.call("f")]);
  await client.call("f");
  expect(node.requests.filter(({ url }) => url === "/v1/node")).toHaveLength(1);
});

test("the admin token reaches functions only where the node asks callers for it", async () => {
  node.on("POST /f", (_, response) => response.end("ok"));
  const options = { url: node.url, token: "secret" };
  await connect(options).call("f");
  expect(node.requests.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer secret",
    undefined,
  ]);

  node.on("GET /v1/node", (_, response) =>
    json(response, 200, { addresses: { functions: node.url }, access: "token" }),
  );
  await connect(options).call("f");
  expect(node.requests.at(-1)?.headers.authorization).toBe("Bearer secret");
});

test("a node that names its loopback address is called where its admin port was found", async () => {
  const port = new URL(node.url).port;
  node.on("POST /f", (_, response) => response.end("ok"));
  node.on("GET /v1/node", (_, response) =>
    json(response, 200, { addresses: { functions: `http://127.0.0.1:${port}` } }),
  );
  await connect(`http://localhost:${port}`).call("f");
  expect(node.requests.at(-1)?.headers.host).toBe(`localhost:${port}`);
});

test("send resolves with the id of the stored invocation", async () => {
  const id = "0123456789abcdef0123456789abcdef";
  node.on("POST /slow", ({ headers }, response) => {
    expect(headers.prefer).toBe("respond-async");
    response.writeHead(202, { location: `/_enoki/invocations/${id}` }).end();
  });
  const sent = await connect(node.url).send("slow", "x");
  expect(sent).toEqual({ id, location: `/_enoki/invocations/${id}` });
});

test("result is undefined while the invocation waits, and with wait it is polled for", async () => {
  let asked = 0;
  node.on("GET /_enoki/invocations/abc", (_, response) => {
    asked += 1;
    if (asked <= 3) response.writeHead(202).end();
    else response.writeHead(201).end("done");
  });
  const client = connect(node.url);
  expect(await client.result("abc")).toBeUndefined();
  const result = await client.result("abc", { wait: "10s" });
  expect([result?.status, result?.text(), asked]).toEqual([201, "done", 4]);
});

test("no node at the address is an error that names the address", async () => {
  const { url } = node;
  await node.close();
  await expect(connect(url).node()).rejects.toMatchObject({
    code: "ENOKI_NODE_UNREACHABLE",
    message: `no node answers at ${url} (ECONNREFUSED)`,
  });
});

test("an answer that takes longer than timeoutMs is given up", async () => {
  node.on("GET /v1/node", () => {});
  const client = connect({ url: node.url, timeoutMs: 50 });
  await expect(client.node()).rejects.toMatchObject({ code: "ENOKI_TIMEOUT" });
});

test("a caller's own signal ends a call with the caller's own reason", async () => {
  node.on("POST /f", () => {});
  const controller = new AbortController();
  const call = connect({ url: node.url, functionsUrl: node.url }).call("f", "x", {
    signal: controller.signal,
  });
  controller.abort(new Error("changed my mind"));
  await expect(call).rejects.toThrow("changed my mind");
});

test("something that is no Enoki node is said to be none", async () => {
  node.on("GET /v1/node", (_, response) => response.end("<html>hello</html>"));
  await expect(connect(node.url).node()).rejects.toMatchObject({ code: "ENOKI_NODE_UNREACHABLE" });
});

test.each([
  ["a bad address", () => connect("ftp://x")],
  ["a name that is none", () => connect("http://x").call("a/b")],
  ["data with GET", () => connect("http://x").call("f", "x", { method: "GET" })],
  ["a timeout without a unit", () => connect("http://x").call("f", "x", { timeout: "5" })],
  [
    "a header that HTTP does not allow",
    () => connect("http://x").call("f", "x", { headers: { "a b": "c" } }),
  ],
  ["a path that joins the name", () => connect("http://x").call("f", "x", { path: "oo" })],
])("%s is refused before anything is sent", async (_, attempt) => {
  await expect((async () => attempt())()).rejects.toMatchObject({
    code: expect.stringMatching(/^ENOKI_INVALID_(?:INPUT|NAME)$/) as string,
  });
});
