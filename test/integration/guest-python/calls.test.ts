import { afterEach, describe, expect, it } from "vitest";
import type { TestCall } from "../../helpers/fake-node.js";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

const guests: PythonGuest[] = [];

async function load(
  source: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<PythonGuest> {
  const guest = new PythonGuest();
  guests.push(guest);
  const loaded = await guest.loadSource(source, options);
  expect(loaded, JSON.stringify(loaded)).toHaveProperty("concurrency");
  return guest;
}

afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.close()));
});

const JSON_TYPE = "application/json";

/** The paper's Listing 1, verbatim. */
const LISTING_1 = `
import kv
def call(i: str) -> str:
    curr = kv.get(key="current")
    curr = curr + "Hello World!\\n"
    kv.set(key="current", val=curr)
    return curr
`;

describe.skipIf(!PYTHON)(`a plain Python function (${PYTHON_MISSING})`, () => {
  it("runs Listing 1 of the paper as printed", async () => {
    const guest = await load(LISTING_1);
    expect(guest.loaded).toEqual({ concurrency: 1, ahead: 15 });
    expect((await guest.call("x")).text).toBe("Hello World!\n");
    expect(await guest.call("x")).toMatchObject({
      status: 200,
      contentType: "text/plain; charset=utf-8",
      text: "Hello World!\nHello World!\n",
    });
    expect(guest.keygroup.read("current")).toEqual({
      t: "str",
      v: "Hello World!\nHello World!\n",
    });
    expect(guest.keygroup.seen).toEqual([
      { callId: 1, kind: 1 },
      { callId: 1, kind: 3 },
      { callId: 2, kind: 1 },
      { callId: 2, kind: 3 },
    ]);
  });

  it.each<[string, TestCall, string]>([
    ["no content type is text", { body: "hé" }, "'hé'"],
    ["text stays text", { body: "1", contentType: "text/csv" }, "'1'"],
    [
      "text has its charset",
      { body: Buffer.from([0xe9]), contentType: "text/plain; charset=iso-8859-1" },
      "'é'",
    ],
    [
      "a form is text",
      { body: '{"a":1}', contentType: "application/x-www-form-urlencoded" },
      `'{"a":1}'`,
    ],
    [
      "JSON is parsed",
      { body: '{"a":[1,null]}', contentType: "application/json; charset=utf-8" },
      "{'a': [1, None]}",
    ],
    [
      "anything else is bytes",
      { body: Buffer.from([0, 255]), contentType: "image/png" },
      "b'\\x00\\xff'",
    ],
    ["nothing is the empty text", {}, "''"],
    ["nothing of a byte type is no bytes", { contentType: "image/png" }, "b''"],
  ])("takes a body by its content type: %s", async (_title, call, repr) => {
    const guest = await load("def call(i): return repr(i)");
    expect((await guest.call(call)).text).toBe(repr);
  });

  it.each([
    ["def call(i: str): return repr(i)", JSON_TYPE, "'[1]'"],
    ["from __future__ import annotations\ndef call(i: str): return repr(i)", JSON_TYPE, "'[1]'"],
    ["def call(i: bytes): return repr(i)", JSON_TYPE, "b'[1]'"],
    ["def call(i: 'bytes'): return repr(i)", "", "b'[1]'"],
    ["def call(i: dict): return repr(i)", JSON_TYPE, "[1]"],
    ["class F:\n def m(self, i: bytes): return repr(i)\ncall = F().m", "", "b'[1]'"],
  ])("lets an annotation of str or bytes decide: %s", async (source, contentType, repr) => {
    const guest = await load(source);
    expect((await guest.call({ body: "[1]", contentType })).text).toBe(repr);
  });

  it.each<[string, TestCall]>([
    ["JSON that does not parse", { body: "{", contentType: JSON_TYPE }],
    ["JSON with NaN", { body: "[NaN]", contentType: JSON_TYPE }],
    ["an empty JSON body", { contentType: JSON_TYPE }],
    ["JSON nested beyond reason", { body: "[".repeat(100_000), contentType: JSON_TYPE }],
    ["text that is not UTF-8", { body: Buffer.from([0xff]) }],
    ["an unknown charset", { body: "x", contentType: "text/plain; charset=klingon" }],
  ])("refuses as invalid input: %s", async (_title, call) => {
    const guest = await load("def call(i): return 'ran'");
    expect((await guest.call(call)).failed?.code).toBe("ENOKI_INVALID_INPUT");
    expect((await guest.call("fine")).text).toBe("ran");
  });

  it.each([
    ["'é'", "text/plain; charset=utf-8", "é"],
    ["{'a': [1, 2.5, True, None, 'é']}", JSON_TYPE, '{"a":[1,2.5,true,null,"é"]}'],
    ["[]", JSON_TYPE, "[]"],
    ["7", JSON_TYPE, "7"],
    ["False", JSON_TYPE, "false"],
    ["2**70", JSON_TYPE, "1180591620717411303424"],
    ["b'raw'", "application/octet-stream", "raw"],
    ["bytearray(b'raw')", "application/octet-stream", "raw"],
    ["None", "", ""],
    ["''", "text/plain; charset=utf-8", ""],
  ])("sends %s as %s", async (value, contentType, text) => {
    const guest = await load(`def call(i): return ${value}`);
    expect(await guest.call("x")).toMatchObject({ status: 200, contentType, text, headers: {} });
  });

  it.each([
    "float('nan')",
    "('a', 200)",
    "{1, 2}",
    "object()",
    "[object()]",
    "'\\ud800'",
    "__import__('enoki').Response('x', status=99)",
    "__import__('enoki').Response('x', status='200')",
    "__import__('enoki').Response('x', headers={'a': 'b\\r\\nc: d'})",
    "__import__('enoki').Response('x', headers={1: 'b'})",
  ])("says that %s is no result", async (value) => {
    const guest = await load(`def call(i): return ${value}`);
    expect((await guest.call("x")).failed?.code).toBe("ENOKI_INVALID_RESULT");
  });

  it("sends the status, headers and body of a Response", async () => {
    const guest = await load(`
from enoki import Response
def call(i):
    return Response({"a": 1}, status=201, headers={"Content-Type": "application/ld+json", "X-One": "1", "x-two": 2})
`);
    expect(await guest.call("x")).toEqual({
      status: 201,
      contentType: "application/ld+json",
      headers: { "x-one": "1", "x-two": "2" },
      text: '{"a":1}',
      bytes: Buffer.from('{"a":1}'),
    });
  });

  it("refuses an output above the limit and nothing below it", async () => {
    const guest = await load("def call(i): return i", { outputBytesMax: 4 });
    expect((await guest.call("1234")).text).toBe("1234");
    expect((await guest.call("12345")).failed?.code).toBe("ENOKI_OUTPUT_TOO_LARGE");
    expect((await guest.call("éé")).text).toBe("éé");
    expect((await guest.call("ééé")).failed?.code).toBe("ENOKI_OUTPUT_TOO_LARGE");
  });

  it("moves a body of 16 MiB in and out unchanged", async () => {
    const guest = await load("def call(i: bytes): return i");
    const body = Buffer.alloc(16 * 1024 * 1024, "enoki kv");
    const { bytes } = await guest.call({ body });
    expect(bytes?.equals(body)).toBe(true);
    expect((await guest.call("small")).text).toBe("small");
  });

  it("tells a function everything about its call", async () => {
    const guest = await load(`
import time
def call(i, ctx):
    q = ctx.query
    return [ctx.method, ctx.path, q["a"], q.all("a"), q.get("z"), q["e"], q.raw, ctx.headers["X-One"],
        ctx.headers.get("x-ONE"), "x-none" in ctx.headers, list(ctx.headers), ctx.invocation_id, ctx.idempotency_key,
        ctx.content_type, ctx.json(), ctx.text(), str(ctx.bytes()), 4 < ctx.remaining() <= 5,
        0 < ctx.deadline - time.time() <= 5]
`);
    const { text } = await guest.call({
      method: "PUT",
      path: "/a%20b",
      query: "a=1&a=2&e=%C3%A9",
      contentType: "text/plain",
      headers: { "x-one": "1", host: "h" },
      idempotencyKey: "once",
      invocationId: "00ff".padEnd(32, "a"),
      body: "[1]",
      timeoutMs: 5000,
    });
    expect(JSON.parse(text as string)).toEqual([
      "PUT",
      "/a%20b",
      "1",
      ["1", "2"],
      null,
      "é",
      "a=1&a=2&e=%C3%A9",
      "1",
      "1",
      false,
      ["x-one", "host"],
      "00ff".padEnd(32, "a"),
      "once",
      "text/plain",
      [1],
      "[1]",
      "b'[1]'",
      true,
      true,
    ]);
  });

  it("answers an exception with its type, message and the function's own traceback", async () => {
    const guest = await load(`
class TooCold(Exception): pass
def helper(): raise TooCold("minus 40")
def call(i):
    helper()
`);
    const { failed } = await guest.call("x");
    expect(failed).toMatchObject({
      errorType: "TooCold",
      message: "minus 40",
      code: "ENOKI_FUNCTION_ERROR",
    });
    expect(failed?.traceback).toMatch(
      /^Traceback \(most recent call last\):\n {2}File ".*main.py", line 5, in call\n {4}helper\(\)\n/,
    );
    expect(failed?.traceback).toMatch(/TooCold: minus 40\n$/);
    expect(failed?.traceback).not.toContain("enoki_guest");
  });

  it.each([
    ["raise SystemExit(3)", "SystemExit"],
    ["exit(1)", "SystemExit"],
    ["raise KeyboardInterrupt", "KeyboardInterrupt"],
    ["return call(i)", "RecursionError"],
    ["raise type('Odd', (Exception,), {'__str__': lambda self: 1})()", "Odd"],
  ])("survives a call that ends with %s", async (statement, errorType) => {
    const guest = await load(`def call(i):\n    if i == 'ok': return i\n    ${statement}`);
    expect((await guest.call("bad")).failed).toMatchObject({
      errorType,
      code: "ENOKI_FUNCTION_ERROR",
    });
    expect((await guest.call("ok")).text).toBe("ok");
  });

  it("keeps import-time state from call to call, and may use kv while it is imported", async () => {
    const guest = await load(`
import kv
kv.set("loaded", "yes")
calls = []
def call(i):
    calls.append(i)
    return len(calls)
`);
    expect(guest.keygroup.seen).toEqual([{ callId: 0, kind: 3 }]);
    await guest.call("a");
    expect((await guest.call("b")).text).toBe("2");
  });

  it("runs a call that follows before the first has been answered", async () => {
    const guest = await load("import kv\ndef call(i): return i + kv.get('k')");
    guest.holdOperations = true;
    const first = guest.begin({ body: "1" });
    await guest.until(() => guest.heldOperations === 1);
    const second = guest.begin({ body: "2" });
    guest.releaseOperations();
    expect((await first.outcome).text).toBe("1");
    expect((await second.outcome).text).toBe("2");
  });

  it("does not begin a waiting call that was cancelled", async () => {
    const guest = await load(
      "import kv\nkv.set('ran', '')\ndef call(i):\n    kv.set('ran', kv.get('ran') + i)",
    );
    guest.holdOperations = true;
    const first = guest.begin({ body: "1" });
    await guest.until(() => guest.heldOperations === 1);
    const second = guest.begin({ body: "2" });
    guest.cancel(second.id);
    guest.releaseOperations();
    await first.outcome;
    expect((await second.outcome).failed?.errorType).toBe("Cancelled");
    expect(guest.keygroup.read("ran")).toEqual({ t: "str", v: "1" });
  });

  it("answers PING between calls, and exits with 0 after STOP once its call has ended", async () => {
    const guest = await load(
      "import kv, atexit\natexit.register(print, 'bye')\ndef call(i): return kv.get('k', 'none')",
    );
    await guest.ping(77);
    guest.holdOperations = true;
    const { outcome } = guest.begin();
    await guest.until(() => guest.heldOperations === 1);
    guest.stop();
    guest.releaseOperations();
    expect((await outcome).text).toBe("none");
    expect(await guest.exited).toBe(0);
    expect(guest.logs.at(-1)?.text).toBe("bye\n");
  });

  it("exits when its channel ends, also with threads left behind", async () => {
    const guest = await load(
      "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\ndef call(i): return ''",
    );
    await guest.close();
    expect(await guest.exited).toBe(0);
  });
});
