import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OPERATION } from "../../../src/channel/frames.js";
import { FakeKeygroup } from "../../helpers/fake-keygroup.js";
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

describe("several keys", () => {
  it("are read at once, missing ones left out", async () => {
    expect(
      await run(
        `await kv.set("a", 1); await kv.set("c", "x"); return kv.getMany(["c", "b", "a", "a"]);`,
      ),
    ).toEqual([
      ["c", "x"],
      ["a", 1],
    ]);
    expect(await run(`return kv.getMany([]);`)).toEqual([]);
  });

  const FILL = `for (let i = 0; i < 25; i++) await kv.set("k" + String(i).padStart(2, "0"), i); await kv.set("z", "last");`;

  it("are scanned over pages, with bounds, in both directions", async () => {
    await run(FILL);
    const cases: [string, number[]][] = [
      [`"k20"`, [20, 21, 22, 23, 24]],
      [`"k05", { end: "k08" }`, [5, 6, 7]],
      [`"k03", { limit: 15 }`, [...Array(15).keys()].map((i) => i + 3)],
      [`"k03", { limit: 0 }`, []],
      [`"k03", { end: "k20", reverse: true }`, [...Array(17).keys()].map((i) => 19 - i)],
      [`"", { end: "k20", reverse: true, limit: 12 }`, [...Array(12).keys()].map((i) => 19 - i)],
      [`{ prefix: "k1" }`, [...Array(10).keys()].map((i) => i + 10)],
      [`{ prefix: "k", reverse: true }`, [...Array(25).keys()].map((i) => 24 - i)],
      [`{ start: "k23", end: "k99" }`, [23, 24]],
    ];
    for (const [args, expected] of cases) {
      const pairs = (await run(
        `const all = []; for await (const pair of kv.scan(${args})) all.push(pair); return all;`,
      )) as [string, number][];
      const wanted = expected.map((i) => [`k${String(i).padStart(2, "0")}`, i]);
      expect(
        pairs.filter(([key]) => key !== "z"),
        args,
      ).toEqual(wanted);
      expect(await run(`return kv.scan(${args}).toArray();`)).toEqual(pairs);
      expect(await run(`return kv.keys(${args}).toArray();`)).toEqual(pairs.map(([key]) => key));
    }
  });

  it("are fetched page by page, only as far as the loop goes", async () => {
    await run(FILL);
    guest.keygroup.seen.length = 0;
    await run(`for await (const [key] of kv.scan("")) if (key === "k10") break;`);
    expect(guest.keygroup.seen.map(({ kind }) => kind)).toEqual([OPERATION.scan, OPERATION.scan]);
    guest.keygroup.seen.length = 0;
    await run(`await kv.scan("", { limit: 10 }).toArray();`);
    expect(guest.keygroup.seen).toHaveLength(1);
  });

  it("answer overlapping calls of next in order", async () => {
    await run(FILL);
    expect(
      await run(
        `const s = kv.keys(""); const all = await Promise.all([...Array(28)].map(() => s.next())); return all.map((r) => r.done ? "done" : r.value);`,
      ),
    ).toEqual([
      ...[...Array(25).keys()].map((i) => `k${String(i).padStart(2, "0")}`),
      "z",
      "done",
      "done",
    ]);
  });

  it("refuse bounds that make no sense", async () => {
    for (const args of [
      `{ prefix: "a", start: "b" }`,
      `{ prefix: "a", end: "b" }`,
      `"", { limit: -1 }`,
      `"", { limit: 1.5 }`,
      `"", { limit: "5" }`,
    ]) {
      expect(await run(`return kv.scan(${args}).toArray();`), args).toEqual({
        code: "ENOKI_INVALID_INPUT",
      });
    }
    expect(await run(`return kv.scan(5).toArray();`)).toEqual({ code: "ENOKI_INVALID_KEY" });
  });
});

describe("update", () => {
  it("stores what the function returns, leaves the key on undefined, deletes on DELETE", async () => {
    expect(await run(`return kv.update("k", (v) => (v ?? 0) + 1);`)).toBe(1);
    expect(await run(`return kv.update("k", async (v) => (v ?? 0) + 1);`)).toBe(2);
    expect(await run(`return [await kv.update("k", () => {}), await kv.get("k")];`)).toEqual([
      "undefined",
      2,
    ]);
    expect(await run(`return [await kv.update("k", () => null), await kv.exists("k")];`)).toEqual([
      null,
      true,
    ]);
    expect(
      await run(`return [await kv.update("k", () => kv.DELETE), await kv.exists("k")];`),
    ).toEqual(["undefined", false]);
    expect(
      await run(`return [await kv.update("k", () => kv.DELETE), await kv.exists("k")];`),
    ).toEqual(["undefined", false]);
  });

  it("is aborted by an exception and by a bad value", async () => {
    expect(
      await run(
        `await kv.set("k", 1); await kv.update("k", () => { throw new EnokiError("ENOKI_FORBIDDEN"); });`,
      ),
    ).toEqual({ code: "ENOKI_FORBIDDEN" });
    expect(await run(`return kv.update("k", () => NaN);`)).toEqual({
      code: "ENOKI_VALUE_UNSUPPORTED",
    });
    expect(guest.keygroup.read("k")).toEqual({ t: "json", v: 1 });
  });

  it("runs the function again on a conflict", async () => {
    let conflicts = 12;
    guest.keygroup.intercept = (kind) =>
      kind === OPERATION.set && conflicts-- > 0 ? "ENOKI_VERSION_CONFLICT" : undefined;
    expect(
      await run(
        `let runs = 0; const value = await kv.update("k", () => ++runs); return [value, runs];`,
      ),
    ).toEqual([13, 13]);
  });

  it("from many calls at once loses nothing, and calls on one key do not conflict with each other", async () => {
    const calls = [...Array(64).keys()].map(() =>
      run(`return kv.update("n", (n) => (n ?? 0) + 1);`),
    );
    const values = (await Promise.all(calls)) as number[];
    expect(values.sort((a, b) => a - b)).toEqual([...Array(64).keys()].map((i) => i + 1));
    expect(guest.keygroup.seen).toHaveLength(128);
  });

  it("goes on after one that failed", async () => {
    expect(
      await run(
        `return Promise.all([kv.update("k", () => { throw new TypeError("x"); }).catch((e) => e.message), kv.update("k", () => 5)]);`,
      ),
    ).toEqual(["x", 5]);
  });

  it("with once takes effect once and then gives what is stored", async () => {
    const code = `return kv.update("k", (n) => (n ?? 0) + 1, { once: "e1" });`;
    expect(await run(code)).toBe(1);
    expect(await run(code)).toBe(1);
    expect(await run(`return kv.update("k", (n) => n + 1, { once: "e2" });`)).toBe(2);
    expect(await run(`return kv.update("k", () => kv.DELETE, { once: "e3" });`)).toBe("undefined");
    expect(await run(`return kv.update("k", () => 1, { once: "" });`)).toEqual({
      code: "ENOKI_INVALID_INPUT",
    });
  });
});

describe("batches and types that merge", () => {
  it("commit together, with checks, sends and once", async () => {
    expect(
      await run(`
        const version = await kv.set("a", 1);
        return kv.batch().check("a", version).check("missing", null).set("b", Uint8Array.of(1), { ttl: "1h" }).set("c", "t")
          .delete("a").increment("n", 2).send("other", { x: 1 }).send("none").once("o").commit();`),
    ).toEqual({ versions: [expect.any(String), expect.any(String), null, null], repeated: false });
    expect(guest.keygroup.read("b")).toEqual({ t: "bytes", v: "AQ==" });
    expect(guest.keygroup.read("c")).toEqual({ t: "str", v: "t" });
    expect(guest.keygroup.read("a")).toBeUndefined();
    expect(guest.keygroup.sends).toEqual([
      { function: "other", data: { t: "json", v: { x: 1 } } },
      { function: "none", data: { t: "json", v: null } },
    ]);
    expect(await run(`return (await kv.batch().set("c", "u").once("o").commit()).repeated;`)).toBe(
      true,
    );
    expect(await run(`return kv.batch().check("c", "old").set("c", 1).commit();`)).toEqual({
      code: "ENOKI_VERSION_CONFLICT",
    });
  });

  it("are refused when they are too long, used twice or hold a bad part", async () => {
    const invalid = { code: "ENOKI_INVALID_INPUT" };
    expect(
      await run(
        `const b = kv.batch(); for (let i = 0; i < 1001; i++) b.set("k" + i, 1); return b.commit();`,
      ),
    ).toEqual(invalid);
    expect(
      await run(`const b = kv.batch().set("k", 1); await b.commit(); return b.commit();`),
    ).toEqual(invalid);
    expect(await run(`return kv.batch().set("k", NaN).commit();`)).toEqual({
      code: "ENOKI_VALUE_UNSUPPORTED",
    });
    expect(await run(`return kv.batch().once("x".repeat(257)).commit();`)).toEqual(invalid);
  });

  it("ask the node for counters, sets and maps", async () => {
    expect(
      await run(
        `return [await kv.increment("n"), await kv.increment("n", 4), await kv.counter("n").add(-1), await kv.counter("n").value(), await kv.get("n")];`,
      ),
    ).toEqual([1, 5, 4, 4, 4]);
    guest.keygroup.seen.length = 0;
    await run(`
      const s = kv.setOf("s"), m = kv.map("m");
      await s.add("x"); await s.remove({ a: 1 }); await s.value();
      await m.set("f", [1]); await m.add("n"); await m.add("n", 2); await m.remove("f"); await m.value();`);
    expect(guest.keygroup.seen.map(({ json }) => json)).toEqual([
      { op: "set.add", key: "s", member: "x" },
      { op: "set.remove", key: "s", member: { a: 1 } },
      { op: "set.value", key: "s" },
      { op: "map.set", key: "m", field: "f", value: [1] },
      { op: "map.add", key: "m", field: "n", n: 1 },
      { op: "map.add", key: "m", field: "n", n: 2 },
      { op: "map.remove", key: "m", field: "f" },
      { op: "map.value", key: "m" },
    ]);
    const unsupported = { code: "ENOKI_VALUE_UNSUPPORTED" };
    expect(await run(`return kv.setOf("s").add(NaN);`)).toEqual(unsupported);
    expect(await run(`return kv.map("m").set(5, 1);`)).toEqual(unsupported);
    expect(await run(`return kv.increment("n", Infinity);`)).toEqual(unsupported);
  });

  it("show siblings with their types", async () => {
    expect(await run(`return kv.siblings("k");`)).toEqual(["a", { bytes: [1, 2] }, [1]]);
  });
});

describe("watches", () => {
  it("bring changes until their loop is left", async () => {
    const outcome = run(`
      const seen = [];
      for await (const { key, value, version } of kv.watch({ prefix: "w" })) {
        seen.push([key, value === undefined ? "deleted" : value, version]);
        if (seen.length === 2) break;
      }
      return seen;`);
    await guest.until(() => guest.keygroup.watches.size === 1);
    const [id] = guest.keygroup.watches.keys();
    guest.writer.frame(
      0x07,
      id!,
      JSON.stringify({ key: "w1", value: { t: "str", v: "x" }, version: "v9" }),
    );
    guest.writer.frame(0x07, id!, JSON.stringify({ key: "w1", value: null, version: "v10" }));
    expect(await outcome).toEqual([
      ["w1", "x", "v9"],
      ["w1", "deleted", "v10"],
    ]);
    expect(guest.keygroup.watches.size).toBe(0);
  });

  it("that the node refuses fail in the loop", async () => {
    guest.keygroup.intercept = () => "ENOKI_UNSUPPORTED";
    expect(await run(`for await (const event of kv.watch("")) {}`)).toEqual({
      code: "ENOKI_UNSUPPORTED",
    });
  });
});

describe("keygroups and errors", () => {
  it("name another one in each operation, where it is granted", async () => {
    const shared = new FakeKeygroup();
    guest.keygroup.granted.set("shared", shared);
    expect(
      await run(`
const other = kv.keygroup("shared");
await kv.set("k", "mine");
await other.set("k", "theirs");
const out = [await other.get("k"), (await other.entry("k")).value, await other.exists("k")];
out.push([...(await other.getMany(["k", "x"]))], await other.scan("").toArray());
out.push(await other.get("k", "", { maxStaleness: "1s" }), await other.update("n", () => 7));
out.push((await other.batch().set("b", 1).commit()).repeated, await other.increment("c"));
return [...out, await kv.get("k"), other.keygroup("fn") === kv, kv.keygroup("shared") === other];`),
    ).toEqual([
      "theirs",
      "theirs",
      true,
      [["k", "theirs"]],
      [["k", "theirs"]],
      "theirs",
      7,
      false,
      1,
      "mine",
      true,
      true,
    ]);
    expect([...guest.keygroup.values.keys()]).toEqual(["k"]);
  });

  it("give the own one by name and refuse every other", async () => {
    expect(await run(`await kv.set("k", 1); return kv.keygroup("fn").get("k");`)).toBe(1);
    for (const use of [
      `get("k")`,
      `set("k", 1)`,
      `update("k", () => 1)`,
      `batch().commit()`,
      `scan("").toArray()`,
      `watch("").next()`,
      `counter("k").value()`,
    ]) {
      expect(await run(`return kv.keygroup("other").${use};`), use).toEqual({
        code: "ENOKI_FORBIDDEN",
      });
    }
  });

  it("carry the node's code", async () => {
    guest.keygroup.intercept = () => "ENOKI_DISK_FULL";
    expect(await run(`await kv.set("k", 1);`)).toEqual({ code: "ENOKI_DISK_FULL" });
  });
});

describe("a read that shows what is here", () => {
  it("refuses to be fresh, instead of seeming so", async () => {
    const refused = { code: "ENOKI_INVALID_INPUT" };
    for (const read of [
      `kv.counter("c").value({ maxStaleness: "1s" })`,
      `kv.setOf("s").value({ onStale: "peer" })`,
      `kv.map("m").value({ within: "1s" })`,
      `kv.siblings("k", { maxStaleness: "1s" })`,
    ]) {
      expect(await run(`return ${read};`), read).toEqual(refused);
    }
    expect(await run(`return kv.siblings("k", {});`)).toHaveLength(3);
  });
});
