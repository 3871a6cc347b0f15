import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, problemOf, send, type Sent } from "../../helpers/node-calls.js";
import { inEachIsolation } from "../../helpers/isolations.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

/** Answers what the path asks for. */
const PYTHON = `
from enoki import Response

class Odd:
    pass

RESULTS = {
    "text": "gr\\u00fc\\u00dfe",
    "empty": "",
    "object": {"a": [1, 2.5, None, True], "\\u00e4": "\\u20ac"},
    "list": [1, "x"],
    "number": 7,
    "true": True,
    "bytes": bytes(range(256)),
    "nothing": None,
    "created": Response({"id": 1}, status=201, headers={"Location": "/there", "X-Own": "yes"}),
    "html": Response("<p>", headers={"Content-Type": "text/html"}),
    "cookies": Response("", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    "no-content": Response(status=204),
    "not-modified": Response(status=304, headers={"ETag": '"1"'}),
    "moved": Response(status=302, headers={"Location": "https://example.org/"}),
    "teapot": Response("short and stout", status=418),
    "unavailable": Response("later", status=503, headers={"Retry-After": "9"}),
    "framing": Response("four", headers={"Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "close"}),
    "odd": Odd(),
    "nan": {"x": float("nan")},
    "bad-status": Response("", status=99),
    "bad-header": Response("", headers={"X": "a\\r\\nSet-Cookie: b=1"}),
}

def call(i, ctx):
    return RESULTS[ctx.path[1:]]
`;

const NODE = `
import { response } from "enoki";

const RESULTS = {
  text: "grüße",
  empty: "",
  object: { a: [1, 2.5, null, true], "ä": "€" },
  list: [1, "x"],
  number: 7,
  true: true,
  bytes: Uint8Array.from({ length: 256 }, (_, i) => i),
  nothing: undefined,
  created: response({ id: 1 }, { status: 201, headers: { Location: "/there", "X-Own": "yes" } }),
  html: response("<p>", { headers: { "Content-Type": "text/html" } }),
  cookies: response("", { headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] }),
  "no-content": response(undefined, { status: 204 }),
  "not-modified": response(undefined, { status: 304, headers: { ETag: '"1"' } }),
  moved: response(undefined, { status: 302, headers: { Location: "https://example.org/" } }),
  teapot: response("short and stout", { status: 418 }),
  unavailable: response("later", { status: 503, headers: { "Retry-After": "9" } }),
  framing: response("four", { headers: { "Content-Length": "1", "Transfer-Encoding": "chunked", Connection: "close" } }),
  odd: () => {},
  nan: { x: Number.NaN },
};

export function call(i, ctx) {
  const name = ctx.path.slice(1);
  if (name === "bad-status") return response("", { status: 99 });
  if (name === "bad-header") return response("", { headers: { X: "a\\r\\nSet-Cookie: b=1" } });
  return RESULTS[name];
}
`;

const FETCH = `
export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/none")) return new Response(null, { status: 204 });
    const body = await request.text();
    return new Response(request.method + " " + url.search + " " + body, {
      status: 201,
      headers: { "content-type": "text/csv", "x-own": request.headers.get("x-mine") ?? "-" },
    });
  },
};
`;

inEachIsolation((settings) => {
  let running: RunningNode;

  beforeAll(async () => {
    running = await startNode(settings);
    await deployFiles(running, "python", { "fn.py": PYTHON });
    await deployFiles(running, "node", { "index.mjs": NODE });
    await deployFiles(running, "fetch", { "index.mjs": FETCH });
  });
  afterAll(() => running?.remove());

  const call = (path: string, sent?: Sent) => send(running.functionsUrl, path, sent);

  describe.each(["python", "node"])("what a %s function returns", (name) => {
    const TEXT = "text/plain; charset=utf-8";
    const JSON_TYPE = "application/json";

    test.each([
      ["text", TEXT, Buffer.from("grüße")],
      ["empty", TEXT, Buffer.alloc(0)],
      ["object", JSON_TYPE, Buffer.from('{"a":[1,2.5,null,true],"ä":"€"}')],
      ["list", JSON_TYPE, Buffer.from('[1,"x"]')],
      ["number", JSON_TYPE, Buffer.from("7")],
      ["true", JSON_TYPE, Buffer.from("true")],
      ["bytes", "application/octet-stream", Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
      ["nothing", undefined, Buffer.alloc(0)],
    ])("%s arrives as %s with exactly its bytes", async (path, type, body) => {
      const answer = await call(`/${name}/${path}`);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe(type);
      expect(answer.headers["content-length"]).toBe(String(body.length));
      expect(answer.body.equals(body)).toBe(true);
    });

    test("a response object decides status and headers, and its body keeps its kind", async () => {
      const created = await call(`/${name}/created`);
      expect(created).toMatchObject({
        status: 201,
        text: '{"id":1}',
        headers: { "content-type": JSON_TYPE, location: "/there", "x-own": "yes" },
      });
      const html = await call(`/${name}/html`);
      expect(html).toMatchObject({
        status: 200,
        text: "<p>",
        headers: { "content-type": "text/html" },
      });
      const cookies = await call(`/${name}/cookies`);
      expect(cookies.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    });

    test.each([
      ["no-content", 204, {}],
      ["not-modified", 304, { etag: '"1"' }],
      ["moved", 302, { location: "https://example.org/" }],
      ["teapot", 418, {}],
      ["unavailable", 503, { "retry-after": "9" }],
    ])(
      "the status of %s is passed on as %i and is no platform error",
      async (path, status, headers) => {
        const answer = await call(`/${name}/${path}`);
        expect(answer).toMatchObject({ status, headers });
        expect(answer.headers["content-type"]).not.toBe("application/problem+json");
        if (status === 204 || status === 304) {
          expect(answer.body.length).toBe(0);
          expect(answer.headers["content-length"]).toBeUndefined();
        }
      },
    );

    test("headers that belong to the connection are not the function's to set", async () => {
      const answer = await call(`/${name}/framing`);
      expect(answer.text).toBe("four");
      expect(answer.rawHeaders.filter((header) => /^content-length$/i.test(header))).toHaveLength(
        1,
      );
      expect(answer.headers["transfer-encoding"]).toBeUndefined();
    });

    test.each(["odd", "nan", "bad-status", "bad-header"])(
      "%s is no response: 500 with its own code",
      async (path) => {
        const answer = await call(`/${name}/${path}`);
        expect(problemOf(answer)).toMatchObject({ status: 500, code: "ENOKI_INVALID_RESULT" });
        expect(answer.headers["set-cookie"]).toBeUndefined();
      },
    );

    test("HEAD has the headers of GET and no body", async () => {
      const head = await call(`/${name}/object`, { method: "HEAD" });
      const get = await call(`/${name}/object`);
      expect(head.body.length).toBe(0);
      expect(head.status).toBe(200);
      for (const header of ["content-type", "content-length"]) {
        expect(head.headers[header]).toBe(get.headers[header]);
      }
    });
  });

  test("a fetch handler gets a web request and answers with a web response", async () => {
    const answer = await call("/fetch/a/b?x=1", {
      method: "PUT",
      body: "hi",
      headers: { "X-Mine": "m" },
    });
    expect(answer).toMatchObject({
      status: 201,
      text: "PUT ?x=1 hi",
      headers: { "content-type": "text/csv", "x-own": "m" },
    });
    expect(await call("/fetch/none")).toMatchObject({ status: 204, text: "" });
  });
});
