import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { GuestUnderTest } from "../../helpers/fake-node-js.js";
import { KvSnippets } from "../../helpers/kv-snippets.js";

let snippets: KvSnippets;
let guest: GuestUnderTest;
const run = (code: string): Promise<unknown> => snippets.run(code);

beforeAll(async () => {
  snippets = await KvSnippets.start();
  guest = snippets.guest;
});

afterAll(() => snippets.guest.close());

beforeEach(() => snippets.reset());

describe("get and set", () => {
  it("bring back the type that was written", async () => {
    const cases: [string, unknown][] = [
      [`"text"`, "text"],
      [`""`, ""],
      [`"grün 🎉"`, "grün 🎉"],
      [`"${"x".repeat(2000)}"`, "x".repeat(2000)],
      [`"${"ü".repeat(2000)}"`, "ü".repeat(2000)],
      [`null`, null],
      [`0`, 0],
      [`-1.5e-7`, -1.5e-7],
      [`9007199254740991`, 9007199254740991],
      [`true`, true],
      [`{ a: [1, { b: "c" }], d: null }`, { a: [1, { b: "c" }], d: null }],
      [`Object.assign(Object.create(null), { a: 1 })`, { a: 1 }],
      [`[]`, []],
      [`Uint8Array.of(1, 255)`, { bytes: [1, 255] }],
      [`Buffer.from("b")`, { bytes: [98] }],
      [`new ArrayBuffer(2)`, { bytes: [0, 0] }],
      [`new Uint8Array(0)`, { bytes: [] }],
    ];
    for (const [value, expected] of cases) {
      expect(await run(`await kv.set("k", ${value}); return kv.get("k");`), value).toEqual(
        expected,
      );
    }
  });

  it("bring back megabytes unharmed", async () => {
    expect(
      await run(`
        const bytes = new Uint8Array(3_000_000).map((_, i) => i * 7);
        await kv.set("b", bytes); await kv.set("t", "é".repeat(1_000_000));
        const back = await kv.get("b");
        return [back.length, Buffer.compare(back, bytes), (await kv.get("t")) === "é".repeat(1_000_000)];`),
    ).toEqual([3_000_000, 0, true]);
  });

  it("give bytes a buffer of their own when they are small", async () => {
    expect(
      await run(
        `await kv.set("k", Uint8Array.of(1, 2)); const v = await kv.get("k"); return [v.buffer.byteLength, Buffer.isBuffer(v)];`,
      ),
    ).toEqual([2, false]);
  });

  it("tell a missing key from a null, and take a default in second place", async () => {
    expect(await run(`return kv.get("k");`)).toBe("undefined");
    expect(await run(`return kv.get("k", null);`)).toBe(null);
    expect(await run(`return kv.get("k", "d", { maxStaleness: "5s" });`)).toBe("d");
    expect(await run(`await kv.set("k", null); return kv.get("k", "d");`)).toBe(null);
  });

  it("refuse what cannot be stored", async () => {
    const values = [
      "undefined",
      "NaN",
      "Infinity",
      "-Infinity",
      "9007199254740992",
      "-9007199254740992",
      "1n",
      "() => 1",
      "Symbol('x')",
      "new Map()",
      "new Set()",
      "new Date()",
      "new (class A { x = 1 })()",
      "[undefined]",
      "[, 1]",
      "{ a: undefined }",
      "{ a: NaN }",
      "{ a: { b: 1n } }",
      `"\\ud800"`,
      `["\\ud800"]`,
      `{ "\\ud800": 1 }`,
      "(() => { const c = []; c.push(c); return c; })()",
      "{ toJSON() { return 1; } }",
      "new Float64Array(1)",
      "[new Date()]",
    ];
    for (const value of values) {
      const expected = { code: "ENOKI_VALUE_UNSUPPORTED" };
      expect(await run(`return kv.set("k", ${value});`), value).toEqual(expected);
    }
    expect(guest.keygroup.seen).toEqual([]);
  });

  it("refuse bad keys in every method", async () => {
    const keys = [
      `""`,
      "undefined",
      "null",
      "5",
      `"x".repeat(1025)`,
      `"é".repeat(513)`,
      `"\\udc00"`,
    ];
    for (const key of keys) {
      for (const method of ["get", "entry", "delete", "exists", "increment", "siblings"]) {
        expect(await run(`return kv.${method}(${key});`), key).toEqual({
          code: "ENOKI_INVALID_KEY",
        });
      }
      expect(await run(`return kv.set(${key}, 1);`)).toEqual({ code: "ENOKI_INVALID_KEY" });
      expect(await run(`return kv.getMany(["a", ${key}]);`)).toEqual({ code: "ENOKI_INVALID_KEY" });
      expect(await run(`return kv.update(${key}, () => 1);`)).toEqual({
        code: "ENOKI_INVALID_KEY",
      });
    }
    expect(await run(`await kv.set("é".repeat(512), 1); return kv.get("é".repeat(512));`)).toBe(1);
  });

  it("refuse values above 16 MiB, by bytes", async () => {
    const limit = 16 * 1024 * 1024;
    for (const value of [
      `"x".repeat(${limit + 1})`,
      `"é".repeat(${limit / 2 + 1})`,
      `new Uint8Array(${limit + 1})`,
      `["x".repeat(${limit})]`,
    ]) {
      expect(await run(`return kv.set("k", ${value});`)).toEqual({ code: "ENOKI_VALUE_TOO_LARGE" });
    }
    expect(
      await run(`await kv.set("k", "x".repeat(${limit})); return (await kv.get("k")).length;`),
    ).toBe(limit);
  });

  it("report methods' mistakes by rejection, never by a throw", async () => {
    expect(
      await run(
        `return Promise.all([kv.get(""), kv.set("k", NaN), kv.set("k", 1, { ttl: 5 }), kv.increment("k", "1"), kv.update("k")].map((p) => p.catch((e) => e.code)));`,
      ),
    ).toEqual([
      "ENOKI_INVALID_KEY",
      "ENOKI_VALUE_UNSUPPORTED",
      "ENOKI_INVALID_INPUT",
      "ENOKI_VALUE_UNSUPPORTED",
      "ENOKI_INVALID_INPUT",
    ]);
  });
});

describe("conditions and lifetime", () => {
  it("make a set depend on a version or on absence", async () => {
    expect(await run(`return kv.set("k", 1, { ifAbsent: true });`)).toMatch(/^v/);
    expect(await run(`return kv.set("k", 2, { ifAbsent: true });`)).toEqual({
      code: "ENOKI_VERSION_CONFLICT",
    });
    expect(await run(`return kv.set("k", 2, { ifVersion: "other" });`)).toEqual({
      code: "ENOKI_VERSION_CONFLICT",
    });
    expect(
      await run(
        `const { version } = await kv.entry("k"); await kv.set("k", 3, { ifVersion: version }); return kv.get("k");`,
      ),
    ).toBe(3);
    expect(await run(`return kv.set("k", 1, { ifVersion: "v", ifAbsent: true });`)).toEqual({
      code: "ENOKI_INVALID_INPUT",
    });
  });

  it("take durations as text only", async () => {
    for (const ttl of ["5", `"5"`, `""`, `"0s"`, `"-1s"`, "null", `"5 s"`]) {
      expect(await run(`return kv.set("k", 1, { ttl: ${ttl} });`), ttl).toEqual({
        code: "ENOKI_INVALID_INPUT",
      });
    }
    const left = await run(
      `await kv.set("k", 1, { ttl: "10m" }); return (await kv.entry("k")).expiresAt.getTime() - Date.now();`,
    );
    expect(left).toBeGreaterThan(590_000);
    expect(left).toBeLessThanOrEqual(600_000);
    expect(await run(`await kv.set("k", 1); return (await kv.entry("k")).expiresAt;`)).toBe(
      "undefined",
    );
  });

  it("tell whether a key exists", async () => {
    expect(
      await run(
        `const a = await kv.exists("k"); await kv.set("k", ""); return [a, await kv.exists("k"), await kv.delete("k"), await kv.delete("k"), await kv.entry("k")];`,
      ),
    ).toEqual([false, true, true, false, "undefined"]);
  });
});
