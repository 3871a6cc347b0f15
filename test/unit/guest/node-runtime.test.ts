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
