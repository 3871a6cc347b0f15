import { afterEach, describe, expect, it } from "vitest";
import { GuestUnderTest, IMPORTS, type TestOutcome } from "../../helpers/fake-node-js.js";

const guests: GuestUnderTest[] = [];

async function deploy(
  code: string,
  options: Record<string, unknown> = {},
): Promise<GuestUnderTest> {
  const guest = await GuestUnderTest.start();
  guests.push(guest);
  const loaded = await guest.load({ "main.mjs": IMPORTS + code }, options);
  expect(loaded).toEqual({ concurrency: 64 });
  return guest;
}

afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.close()));
});

describe("input", () => {
  it("follows the content type: JSON, text, form, none, bytes", async () => {
    const guest = await deploy(`
      export const call = (input) => JSON.stringify([
        input instanceof Uint8Array ? "bytes" : typeof input,
        input instanceof Uint8Array ? [...input] : input,
        Buffer.isBuffer(input),
      ]);`);
    const cases: [string, string | Uint8Array | undefined, string, unknown][] = [
      ["application/json", '{"a":[1]}', "object", { a: [1] }],
      ["Application/JSON; charset=utf-8", "5", "number", 5],
      ["text/plain", "grün", "string", "grün"],
      ["text/csv; charset=utf-8", "a,b", "string", "a,b"],
      ["application/x-www-form-urlencoded", "a=1", "string", "a=1"],
      ["", "x", "string", "x"],
      ["", undefined, "string", ""],
      ["text/plain", undefined, "string", ""],
      ["application/octet-stream", Uint8Array.of(0, 255), "bytes", [0, 255]],
      ["image/png", Uint8Array.of(1), "bytes", [1]],
      ["image/png", undefined, "bytes", []],
      ['text/plain; Charset="ISO-8859-1"', Uint8Array.of(0xfc), "string", "ü"],
      ["multipart/form-data; boundary=x", "--x", "bytes", [45, 45, 120]],
    ];
    for (const [contentType, body, type, value] of cases) {
      const sent = body === undefined ? { contentType } : { contentType, body };
      const { text } = await guest.call(sent);
      expect(JSON.parse(text!), contentType).toEqual([type, value, false]);
    }
  });

  it("that is no JSON although it says so answers 400, not a failure of the function", async () => {
    const guest = await deploy(`export const call = () => "unreached";`);
    const { failed } = await guest.call({ contentType: "application/json", body: "{" });
    expect(failed).toMatchObject({ code: "ENOKI_INVALID_INPUT" });
    expect(failed?.message).toMatch(/not JSON/);
    const notText = Uint8Array.of(0x22, 0xff, 0x22);
    for (const contentType of [
      "application/json",
      "text/plain",
      "",
      "text/plain; charset=no-such",
    ]) {
      const outcome = await guest.call({ contentType, body: notText });
      expect(outcome.failed?.code, contentType).toBe("ENOKI_INVALID_INPUT");
    }
    const empty = await guest.call({ contentType: "application/json" });
    expect(empty.failed?.code).toBe("ENOKI_INVALID_INPUT");
  });

  it("is described by the context", async () => {
    const guest = await deploy(`
      export const call = (input, ctx) => ({
        method: ctx.method, path: ctx.path, q: ctx.query.getAll("a"), headers: ctx.headers,
        id: ctx.invocationId, key: ctx.idempotencyKey ?? null, json: ctx.json(), text: ctx.text(),
        bytes: [...ctx.bytes()], left: ctx.deadline.getTime() - Date.now(),
      });`);
    const invocationId = "0123456789abcdef0123456789abcdef";
    const { text } = await guest.call({
      method: "PUT",
      path: "/a%20b",
      query: "a=1&a=2",
      headers: { "x-a": "1", host: "h" },
      idempotencyKey: "k",
      invocationId,
      timeoutMs: 60_000,
      body: "[1]",
    });
    const { left, ...seen } = JSON.parse(text!) as { left: number };
    expect(seen).toEqual({
      method: "PUT",
      path: "/a%20b",
      q: ["1", "2"],
      headers: { "x-a": "1", host: "h" },
      id: invocationId,
      key: "k",
      json: [1],
      text: "[1]",
      bytes: [91, 49, 93],
    });
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  it("asked for as JSON answers 400 when it is none, unless the function catches that", async () => {
    const guest = await deploy(`
      export function call(input, ctx) {
        if (input !== "catch") return ctx.json();
        try { ctx.json(); } catch (error) { return error.code; }
      }`);
    expect((await guest.call("no")).failed?.code).toBe("ENOKI_INVALID_INPUT");
    expect((await guest.call("catch")).text).toBe("ENOKI_INVALID_INPUT");
  });
});

describe("output", () => {
  it("is text, JSON, bytes or nothing, as the type of the result says", async () => {
    const guest = await deploy(`
      const results = {
        text: "grün", empty: "", object: { a: null }, array: [1, "x"], number: 1.5, zero: 0, yes: true,
        no: false, bytes: Uint8Array.of(1, 2), buffer: Buffer.from("b"), view: new Uint16Array([1]),
        arraybuffer: new ArrayBuffer(3), none: undefined, null: null, date: new Date(0),
      };
      export const call = (name) => name.startsWith("async ") ? Promise.resolve(results[name.slice(6)]) : results[name];`);
    const text = "text/plain; charset=utf-8";
    const json = "application/json";
    const bytes = "application/octet-stream";
    const cases: [string, string, string][] = [
      ["text", text, "grün"],
      ["empty", text, ""],
      ["object", json, '{"a":null}'],
      ["array", json, '[1,"x"]'],
      ["number", json, "1.5"],
      ["zero", json, "0"],
      ["yes", json, "true"],
      ["no", json, "false"],
      ["bytes", bytes, "\u0001\u0002"],
      ["buffer", bytes, "b"],
      ["view", bytes, "\u0001\0"],
      ["arraybuffer", bytes, "\0\0\0"],
      ["none", "", ""],
      ["null", "", ""],
      ["date", json, '"1970-01-01T00:00:00.000Z"'],
    ];
    for (const [name, contentType, body] of cases) {
      for (const prefix of ["", "async "]) {
        const outcome = await guest.call(prefix + name);
        expect(outcome, name).toMatchObject({ status: 0, contentType, text: body, headers: {} });
      }
    }
  });

  it("carries status and headers of a response object or a web Response", async () => {
    const guest = await deploy(`
      export const call = async (name) => ({
        object: () => response({ a: 1 }, { status: 201, headers: { "X-A": "1" } }),
        typed: () => response("<p>", { headers: [["Content-Type", "text/html"]] }),
        none: () => response(undefined, { status: 204 }),
        web: () => new Response("w", { status: 202, headers: { "x-w": "2" } }),
        stream: () => new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); c.enqueue(new Uint8Array([66])); c.close(); } })),
        webjson: () => Response.json({ b: 2 }),
      })[name]();`);
    const expected: [string, TestOutcome][] = [
      [
        "object",
        { status: 201, contentType: "application/json", text: '{"a":1}', headers: { "x-a": "1" } },
      ],
      ["typed", { status: 200, contentType: "text/html", text: "<p>", headers: {} }],
      ["none", { status: 204, contentType: "", text: "" }],
      [
        "web",
        {
          status: 202,
          contentType: "text/plain;charset=UTF-8",
          text: "w",
          headers: { "x-w": "2" },
        },
      ],
      ["stream", { status: 200, contentType: "application/octet-stream", text: "AB" }],
      ["webjson", { status: 200, contentType: "application/json", text: '{"b":2}' }],
    ];
    for (const [name, outcome] of expected)
      expect(await guest.call(name), name).toMatchObject(outcome);
  });

  it("that is no response answers ENOKI_INVALID_RESULT", async () => {
    const guest = await deploy(`
      const circle = {}; circle.self = circle;
      const results = [NaN, Infinity, [1, null, { a: NaN }], 10n, { big: 1n }, circle, () => 1, Symbol("x"), "\\ud800",
        () => response("", { status: 99 }), () => response("", { headers: { "a b": "" } }), () => response("", { headers: { a: "x\\ny" } })];
      export const call = (i) => { const result = results[i]; return i > 8 ? result() : result; };`);
    for (let i = 0; i < 12; i++) {
      const outcome = await guest.call({ contentType: "application/json", body: String(i) });
      expect(outcome.failed?.code, String(i)).toBe("ENOKI_INVALID_RESULT");
    }
  });

  it("above the limit is refused in bytes, not characters", async () => {
    const guest = await deploy(`export const call = (n) => "é".repeat(n);`, {
      outputBytesMax: 100,
    });
    const ask = (n: number) => guest.call({ contentType: "application/json", body: String(n) });
    expect((await ask(50)).text).toBe("é".repeat(50));
    expect((await ask(51)).failed?.code).toBe("ENOKI_OUTPUT_TOO_LARGE");
  });

  it("of a fetch handler follows the web's classes", async () => {
    const guest = await deploy(`
      export default { async fetch(request, ctx) {
        return new Response([request.method, request.url, request.headers.get("x-a"), await request.text(), ctx.path].join(" "), { status: 203 });
      } };`);
    const call = {
      method: "POST",
      path: "/p",
      query: "q=1",
      headers: { "x-a": "1", host: "h:8000" },
    };
    expect(await guest.call({ ...call, body: "body" })).toMatchObject({
      status: 203,
      text: "POST http://h:8000/p?q=1 1 body /p",
    });
    expect((await guest.call({ method: "GET", body: "ignored" })).text).toBe(
      "GET http://localhost/   ",
    );
  });
});

describe("failures", () => {
  it("of the function answer with type, message and traceback", async () => {
    const guest = await deploy(`
      class MyError extends Error { name = "MyError"; }
      export const call = async (name) => {
        if (name === "sync") throw new MyError("first");
        if (name === "kv") return kv.get("");
        if (name === "text") throw "a text";
        await null;
        throw new TypeError("second");
      };`);
    const first = (await guest.call("sync")).failed;
    expect(first).toMatchObject({
      errorType: "MyError",
      message: "first",
      code: "ENOKI_FUNCTION_ERROR",
    });
    expect(first?.traceback).toMatch(/main\.mjs/);
    expect((await guest.call("x")).failed).toMatchObject({
      errorType: "TypeError",
      message: "second",
    });
    expect((await guest.call("text")).failed).toMatchObject({
      errorType: "string",
      message: "a text",
    });
    expect((await guest.call("kv")).failed).toMatchObject({
      errorType: "EnokiError",
      code: "ENOKI_FUNCTION_ERROR",
    });
  });

  it("outside of the handler's promise fail the call they belong to and leave the others", async () => {
    const guest = await deploy(`
      export const call = (name) => new Promise((resolve) => {
        if (name === "timer") setTimeout(() => { throw new Error("in a timer"); }, 1);
        else if (name === "rejection") void Promise.reject(new Error("nobody catches"));
        else setTimeout(resolve, 30, "fine");
      });`);
    const names = ["fine", "timer", "fine", "rejection", "timer"];
    const outcomes = await Promise.all(names.map((name) => guest.call(name)));
    expect(outcomes.map((outcome) => outcome.text ?? outcome.failed?.message)).toEqual([
      "fine",
      "in a timer",
      "fine",
      "nobody catches",
      "in a timer",
    ]);
    expect((await guest.call("rejection")).failed?.message).toBe("nobody catches");
  });

  it("outside of any call end the instance with 1, after a line in the log", async () => {
    const guest = await deploy(
      `export const call = () => { setTimeout(() => { throw new Error("late"); }, 5); return "ok"; };`,
    );
    expect((await guest.call()).text).toBe("ok");
    expect(await guest.exited).toBe(1);
    expect(guest.logs.map((log) => log.text).join()).toMatch(/late/);
  });

  it("while loading say what is wrong", async () => {
    const cases: [Record<string, string>, Record<string, unknown>, string, RegExp][] = [
      [{ "a.mjs": "export const other = 1;" }, {}, "ENOKI_NO_ENTRY", /neither call/],
      [{ "a.cjs": "module.exports = function call() {};" }, {}, "ENOKI_NO_ENTRY", /neither call/],
      [{ "a.mjs": "this is no code" }, {}, "ENOKI_LOAD_FAILED", /Unexpected/],
      [
        { "a.mjs": "throw new RangeError('while importing');" },
        {},
        "ENOKI_LOAD_FAILED",
        /while importing/,
      ],
      [{ "a.mjs": "import 'no-such-package';" }, {}, "ENOKI_LOAD_FAILED", /no-such-package/],
      [{ "a.mjs": "" }, { entry: "missing.mjs" }, "ENOKI_LOAD_FAILED", /missing/],
      [{ "a.mjs": "export const call = 1;" }, { runtime: "nodejs" }, "ENOKI_NO_ENTRY", /req, res/],
      [{ "a.mjs": "" }, { runtime: "cobol" }, "ENOKI_NO_ENTRY", /cobol/],
    ];
    await Promise.all(
      cases.map(async ([files, options, code, message]) => {
        const guest = await GuestUnderTest.start();
        guests.push(guest);
        const loaded = await guest.load(files, options);
        expect(loaded["code"]).toBe(code);
        expect(`${String(loaded["message"])} ${String(loaded["traceback"])}`).toMatch(message);
      }),
    );
  });
});

describe("code", () => {
  it("may be CommonJS, in either way of bundling, and sees env and its own folder", async () => {
    const files: Record<string, string>[] = [
      {
        "main.cjs":
          "module.exports.call = (i) => i + process.env.A + require('fs').readdirSync('.').length;",
      },
      {
        "main.js":
          "exports.call = (i) => i + process.env.A + require('fs').readdirSync('.').length;",
      },
      {
        "main.js":
          "import fs from 'fs'; export const call = (i) => i + process.env.A + (fs.readdirSync('.').length - 1);",
        "package.json": '{"type":"module"}',
      },
    ];
    for (const set of files) {
      const guest = await GuestUnderTest.start();
      guests.push(guest);
      expect(await guest.load(set, { env: { A: "env" } })).toEqual({ concurrency: 64 });
      expect((await guest.call("i")).text).toBe("ienv1");
    }
  });

  it("keeps its state between calls", async () => {
    const guest = await deploy(`let n = 0; export const call = () => ++n;`);
    await guest.call();
    expect((await guest.call()).text).toBe("2");
  });
});

describe("the log", () => {
  it("names the right one of 64 calls that wait and print at once", async () => {
    const guest = await deploy(`
      const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      async function inner(i) { await wait(Math.random() * 5); console.log("timer " + i); }
      export async function call(i) {
        console.log("start " + i);
        await kv.get("k" + i); console.error("kv " + i);
        await Promise.all([inner(i), kv.set("k" + i, i)]);
        await new Promise((resolve) => require_fs.readFile("main.mjs", () => { process.stdout.write("part "); resolve(); }));
        process.stdout.write(i);
        return i;
      }
      import * as require_fs from "node:fs";`);
    for (let round = 0; round < 3; round++) {
      guest.logs.length = 0;
      const calls = [...Array(64).keys()].map((i) => guest.begin({ body: String(i) }));
      const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
      expect(outcomes.map(({ text }) => text)).toEqual(calls.map((_, i) => String(i)));
      for (const [i, { id }] of calls.entries()) {
        const own = guest.logs.filter(({ callId }) => callId === id);
        expect(own.map(({ stream, text }) => [stream, text])).toEqual([
          [1, `start ${i}`],
          [2, `kv ${i}`],
          [1, `timer ${i}`],
          [1, `part ${i}`],
        ]);
      }
      const ids = new Set(calls.map(({ id }) => id));
      for (const { id } of calls) {
        const own = guest.keygroup.seen.filter(({ callId }) => callId === id);
        expect(own.map(({ kind }) => kind)).toEqual([1, 3]);
      }
      expect(guest.logs.every(({ callId }) => ids.has(callId))).toBe(true);
    }
  });

  it("leaves at once, so that the line before an endless loop is seen", async () => {
    const guest = await deploy(`export const call = () => { console.log("before"); for (;;); };`);
    void guest.call();
    await guest.until(() => guest.logs.length > 0);
    expect(guest.logs[0]).toMatchObject({ text: "before", callId: 1 });
    guest.process.kill("SIGKILL");
  });

  it("takes what is printed while loading as outside of a call", async () => {
    const guest = await deploy(
      `console.log("loading"); console.group("g"); console.warn("in", { a: 1 }); export const call = () => {};`,
    );
    expect(guest.logs).toEqual([
      { callId: 0, stream: 1, text: "loading" },
      { callId: 0, stream: 1, text: "g" },
      { callId: 0, stream: 2, text: "  in { a: 1 }" },
    ]);
  });
});

describe("the life of an instance", () => {
  it("aborts ctx.signal on CANCEL, whether it was looked at before or after", async () => {
    const guest = await deploy(`
      export const call = (name, ctx) => new Promise((resolve) => {
        if (name === "early") { console.log("ready"); ctx.signal.addEventListener("abort", () => resolve("aborted")); }
        else { console.log("ready"); setTimeout(function check() { if (ctx.signal.aborted) resolve("late"); else setTimeout(check, 1); }, 1); }
      });`);
    for (const [name, text] of [
      ["early", "aborted"],
      ["x", "late"],
    ]) {
      guest.logs.length = 0;
      const { id, outcome } = guest.begin({ body: name! });
      await guest.until(() => guest.logs.length > 0);
      guest.cancel(id);
      expect((await outcome).text).toBe(text);
    }
  });

  it("finishes running calls on STOP and exits with 0", async () => {
    const guest = await deploy(`export const call = () => kv.get("k", "done");`);
    guest.holdOperations = true;
    const outcome = guest.call();
    await guest.until(() => guest.heldOperations === 1);
    guest.stop();
    await guest.ping(7);
    guest.releaseOperations();
    expect((await outcome).text).toBe("done");
    expect(await guest.exited).toBe(0);
  });

  it("ends when the channel closes, and with 1 when the node breaks the protocol", async () => {
    const idle = await deploy(`setInterval(() => {}, 1000); export const call = () => {};`);
    await idle.close();
    const broken = await deploy(`export const call = () => {};`);
    broken.writer.frame(0x7f, 1);
    expect(await broken.exited).toBe(1);
  });

  it("answers all calls of one turn in one write", async () => {
    const guest = await deploy(`export const call = async (i) => i;`);
    const before = guest.readsTotal;
    await Promise.all([...Array(50).keys()].map((i) => guest.call(String(i))));
    expect(guest.readsTotal - before).toBe(1);
  });
});
