import { afterEach, describe, expect, it } from "vitest";
import { GuestUnderTest, IMPORTS } from "../../helpers/fake-node-js.js";

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
