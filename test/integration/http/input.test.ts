import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { encodeSession } from "../../../src/core/session.js";
import { deployFiles, problemOf, send, type Sent } from "../../helpers/node-calls.js";
import { inEachIsolation } from "../../helpers/isolations.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

/** Each answers with the kind of its input and what is in it, as JSON. */
const PYTHON = `
def show(i):
    kinds = {str: "text", bytes: "bytes"}
    kind = kinds.get(type(i), "json")
    return {"kind": kind, "value": list(i) if kind == "bytes" else i}

def call(i):
    return show(i)
`;
const NODE = `
export function call(i) {
  const kind = typeof i === "string" ? "text" : i instanceof Uint8Array ? "bytes" : "json";
  return { kind, value: kind === "bytes" ? [...i] : i };
}
`;
/** What the context says, and its readers of the body. */
const PYTHON_CONTEXT = `
import time
def call(i, ctx):
    if ctx.path == "/json":
        return {"json": ctx.json()}
    return {
        "method": ctx.method, "path": ctx.path, "query": ctx.query.raw, "q": ctx.query.get("q"),
        "all": ctx.query.all("q"), "own": ctx.headers.get("X-Own"), "names": sorted(ctx.headers),
        "id": ctx.invocation_id, "key": ctx.idempotency_key, "left": ctx.deadline - time.time(),
        "bytes": list(ctx.bytes()),
    }
`;
const NODE_CONTEXT = `
export function call(i, ctx) {
  if (ctx.path === "/json") return { json: ctx.json() };
  return {
    method: ctx.method, path: ctx.path, query: ctx.query.toString(), q: ctx.query.get("q"),
    all: ctx.query.getAll("q"), own: ctx.headers["x-own"], names: Object.keys(ctx.headers).sort(),
    id: ctx.invocationId, key: ctx.idempotencyKey ?? null, left: (ctx.deadline - Date.now()) / 1000,
    bytes: [...ctx.bytes()],
  };
}
`;

inEachIsolation((settings) => {
  let running: RunningNode;

  beforeAll(async () => {
    running = await startNode(settings);
    await deployFiles(running, "python", { "fn.py": PYTHON });
    await deployFiles(running, "python-str", {
      "fn.py": PYTHON.replace("def call(i)", "def call(i: str)"),
    });
    await deployFiles(running, "python-bytes", {
      "fn.py": PYTHON.replace("def call(i)", "async def call(i: bytes, ctx)"),
    });
    await deployFiles(running, "node", { "index.mjs": NODE });
    await deployFiles(running, "python-context", { "fn.py": PYTHON_CONTEXT });
    await deployFiles(running, "node-context", { "index.mjs": NODE_CONTEXT });
  });
  afterAll(() => running?.remove());

  const call = (path: string, sent?: Sent) => send(running.functionsUrl, path, sent);

  async function inputOf(name: string, contentType: string | undefined, body: string | Uint8Array) {
    const headers: Record<string, string> =
      contentType === undefined ? {} : { "content-type": contentType };
    const answer = await call(`/${name}`, { method: "POST", headers, body });
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as unknown;
  }

  describe.each(["python", "node"])("the content type decides what a %s function gets", (name) => {
    test.each([
      ["application/json", '{"a":[1,null]}', { kind: "json", value: { a: [1, null] } }],
      ["application/json; charset=utf-8", "[1]", { kind: "json", value: [1] }],
      ["APPLICATION/JSON", "true", { kind: "json", value: true }],
      ["application/json", '"x"', { kind: "text", value: "x" }],
      ["text/plain", "grüße", { kind: "text", value: "grüße" }],
      ["text/csv", "1,2", { kind: "text", value: "1,2" }],
      ["application/x-www-form-urlencoded", "a=1&b=2", { kind: "text", value: "a=1&b=2" }],
      [undefined, "plain", { kind: "text", value: "plain" }],
      ["application/octet-stream", Uint8Array.of(0, 255), { kind: "bytes", value: [0, 255] }],
      ["image/png", Uint8Array.of(137), { kind: "bytes", value: [137] }],
    ])("%s %s", async (contentType, body, expected) => {
      expect(await inputOf(name, contentType, body)).toEqual(expected);
    });

    test("no body is the empty string", async () => {
      expect(JSON.parse((await call(`/${name}`)).text)).toEqual({ kind: "text", value: "" });
    });

    test.each(["{", " ", "NaN", "{'a':1}"])(
      "JSON that does not parse (%j) is 400",
      async (body) => {
        const headers = { "content-type": "application/json" };
        const answer = await call(`/${name}`, { method: "POST", headers, body });
        expect(problemOf(answer)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
      },
    );

    test("a megabyte arrives unharmed", async () => {
      const body = "0123456789abcdef".repeat(65_536);
      expect(await inputOf(name, "text/plain", body)).toEqual({ kind: "text", value: body });
    });
  });

  test("text that is not UTF-8 is 400 in Python", async () => {
    const headers = { "content-type": "text/plain" };
    const answer = await call("/python", {
      method: "POST",
      headers,
      body: Uint8Array.of(0xff, 0xfe),
    });
    expect(problemOf(answer)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
  });

  test("a Python annotation overrides the content type", async () => {
    const json = "application/json";
    expect(await inputOf("python-str", json, '{"a":1}')).toEqual({
      kind: "text",
      value: '{"a":1}',
    });
    expect(await inputOf("python-str", "image/png", "x")).toEqual({ kind: "text", value: "x" });
    expect(await inputOf("python-bytes", json, "{}")).toEqual({ kind: "bytes", value: [123, 125] });
    expect(await inputOf("python-bytes", undefined, "a")).toEqual({ kind: "bytes", value: [97] });
  });

  describe.each(["python-context", "node-context"])("the context of %s", (name) => {
    test.each(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])(
      "says that the method was %s",
      async (method) => {
        const answer = await call(`/${name}`, { method });
        expect(JSON.parse(answer.text)).toMatchObject({ method, path: "" });
      },
    );

    test.each([
      ["/a/b", "/a/b"],
      ["/a%20b%2Fc/%C3%BC", "/a%20b%2Fc/%C3%BC"],
      ["/../up/./x", "/../up/./x"],
      ["//two", "//two"],
      ["/", "/"],
    ])("the path %s is passed on as it was sent", async (path, expected) => {
      expect(JSON.parse((await call(`/${name}${path}`)).text)).toMatchObject({ path: expected });
    });

    test("the query is percent-encoded as a whole and decoded by name", async () => {
      const answer = await call(`/${name}/p?q=a%26b&q=2&r=%C3%BC`);
      expect(JSON.parse(answer.text)).toMatchObject({
        path: "/p",
        query: "q=a%26b&q=2&r=%C3%BC",
        q: "a&b",
        all: ["a&b", "2"],
      });
    });

    test("headers, body, invocation id, deadline and idempotency key reach it", async () => {
      const headers = {
        "X-Own": "gr",
        "Idempotency-Key": "k 1",
        "Enoki-Timeout": "5s",
        "Content-Type": "text/plain",
      };
      const answer = await call(`/${name}`, { method: "POST", headers, body: "hi" });
      const seen = JSON.parse(answer.text) as { id: string; left: number; names: string[] };
      expect(seen).toMatchObject({ own: "gr", key: "k 1", bytes: [104, 105] });
      expect(seen.id).toBe(answer.headers["enoki-invocation-id"]);
      expect(seen.left).toBeGreaterThan(3);
      expect(seen.left).toBeLessThanOrEqual(5.01);
      expect(seen.names).toContain("x-own");
      for (const hop of ["connection", "transfer-encoding"]) expect(seen.names).not.toContain(hop);
    });

    test("a repeated header reaches it joined", async () => {
      const headers = { "X-Own": ["a", "b"] as unknown as string };
      expect(JSON.parse((await call(`/${name}`, { headers })).text)).toMatchObject({ own: "a, b" });
    });

    test("json() parses whatever the content type is, and refuses with 400", async () => {
      const form = { "content-type": "application/x-www-form-urlencoded" };
      const good = await call(`/${name}/json`, { method: "POST", headers: form, body: '{"a":1}' });
      expect(JSON.parse(good.text)).toEqual({ json: { a: 1 } });
      const bad = await call(`/${name}/json`, { method: "POST", headers: form, body: "{" });
      expect(problemOf(bad)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
    });
  });

  describe("the session of a client", () => {
    const call = (session: string) =>
      send(running.functionsUrl, "/python", { body: "x", headers: { "enoki-session": session } });

    test("goes back as it came where nobody else has the data", async () => {
      const session = encodeSession({ hlc: 1, keygroups: new Map() });
      const answer = await call(session);
      expect([answer.status, answer.headers["enoki-session"]]).toEqual([200, session]);
      const without = await send(running.functionsUrl, "/python", { body: "x" });
      expect(without.headers).not.toHaveProperty("enoki-session");
    });

    test("is refused when it is none of ours, and the function does not run", async () => {
      const answer = await call("made up");
      expect([answer.status, problemOf(answer).code]).toEqual([400, "ENOKI_INVALID_INPUT"]);
    });
  });
});
