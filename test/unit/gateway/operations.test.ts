import { describe, expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { adminFixture, codeOf, type AdminFixture } from "../../helpers/admin-app.js";

async function run({ request }: AdminFixture, operation: unknown): Promise<unknown> {
  const body = typeof operation === "string" ? operation : JSON.stringify(operation);
  const response = await request("POST", "/v1/keygroups/kg/operations", { body });
  if (response.status !== 200) return [response.status, await codeOf(response)];
  return response.json();
}

describe("reads", () => {
  test("get, entry, exists, getMany and siblings show what is there", async () => {
    const fixture = await adminFixture();
    const value = { t: "json", v: [1, null] };
    await run(fixture, { op: "batch", writes: [{ op: "set", key: ".", value }] });
    expect(await run(fixture, { op: "get", key: "." })).toEqual({ value });
    expect(await run(fixture, { op: "entry", key: "." })).toEqual({
      entry: { value, version: expect.any(String) as string, expiresAtMs: 0 },
    });
    expect(await run(fixture, { op: "exists", key: "." })).toEqual({ exists: true });
    expect(await run(fixture, { op: "getMany", keys: ["x", "."] })).toEqual({
      values: [null, value],
    });
    expect(await run(fixture, { op: "siblings", key: "." })).toEqual({ values: [value] });
  });

  test("show nothing where there is nothing", async () => {
    const fixture = await adminFixture();
    expect(await run(fixture, { op: "get", key: "x" })).toEqual({ value: null });
    expect(await run(fixture, { op: "entry", key: "x" })).toEqual({ entry: null });
    expect(await run(fixture, { op: "exists", key: "x" })).toEqual({ exists: false });
    expect(await run(fixture, { op: "siblings", key: "x" })).toEqual({ values: [] });
  });
});

describe("CRDTs", () => {
  test("a counter counts, and its value tells", async () => {
    const fixture = await adminFixture();
    expect(await run(fixture, { op: "counter.value", key: "c" })).toEqual({ value: 0 });
    expect(await run(fixture, { op: "increment", key: "c", n: 2 })).toEqual({
      value: 2,
      version: expect.any(String) as string,
    });
    expect(await run(fixture, { op: "counter.add", key: "c", n: -5 })).toEqual({ value: -3 });
    expect(await run(fixture, { op: "counter.value", key: "c" })).toEqual({ value: -3 });
  });

  test("a set takes members and gives them up", async () => {
    const fixture = await adminFixture();
    expect(await run(fixture, { op: "set.value", key: "s" })).toEqual({ value: [] });
    expect(await run(fixture, { op: "set.add", key: "s", member: { a: 1 } })).toEqual({});
    expect(await run(fixture, { op: "set.add", key: "s", member: null })).toEqual({});
    await run(fixture, { op: "set.remove", key: "s", member: { a: 1 } });
    expect(await run(fixture, { op: "set.value", key: "s" })).toEqual({ value: [null] });
  });

  test("a map holds registers and counters", async () => {
    const fixture = await adminFixture();
    expect(await run(fixture, { op: "map.value", key: "m" })).toEqual({ value: {} });
    expect(await run(fixture, { op: "map.set", key: "m", field: "a", value: "x" })).toEqual({});
    expect(await run(fixture, { op: "map.add", key: "m", field: "n", n: 3 })).toEqual({ value: 3 });
    await run(fixture, { op: "map.set", key: "m", field: "b", value: 1 });
    await run(fixture, { op: "map.remove", key: "m", field: "b" });
    expect(await run(fixture, { op: "map.value", key: "m" })).toEqual({ value: { a: "x", n: 3 } });
  });

  test("are not mistaken for each other", async () => {
    const fixture = await adminFixture();
    await run(fixture, { op: "set.add", key: "s", member: 1 });
    const mismatch = [409, "ENOKI_TYPE_MISMATCH"];
    expect(await run(fixture, { op: "increment", key: "s", n: 1 })).toEqual(mismatch);
    expect(await run(fixture, { op: "counter.value", key: "s" })).toEqual(mismatch);
    expect(await run(fixture, { op: "map.value", key: "s" })).toEqual(mismatch);
  });
});

describe("a batch", () => {
  const text = (v: string) => ({ t: "str", v });

  test("writes, deletes, counts and sends together", async () => {
    const fixture = await adminFixture();
    await run(fixture, { op: "batch", writes: [{ op: "set", key: "old", value: text("1") }] });
    const reply = (await run(fixture, {
      op: "batch",
      checks: [{ key: "new", version: null }],
      writes: [
        { op: "set", key: "new", value: { t: "bytes", v: "AQI=" }, ttlMs: 60_000 },
        { op: "delete", key: "old" },
        { op: "increment", key: "n", n: 4 },
      ],
      sends: [{ function: "next", data: text("hi") }],
      once: null,
    })) as { versions: unknown[]; repeated: boolean };
    expect(reply.versions).toEqual([expect.any(String), null, expect.any(String)]);
    expect(reply.repeated).toBe(false);
    expect(await run(fixture, { op: "getMany", keys: ["new", "old", "n"] })).toEqual({
      values: [{ t: "bytes", v: "AQI=" }, null, { t: "json", v: 4 }],
    });
    expect(fixture.sends).toEqual([
      { function: "next", data: { tag: 1, bytes: Buffer.from("hi") } },
    ]);
  });

  test("whose check fails changes nothing", async () => {
    const fixture = await adminFixture();
    const outcome = await run(fixture, {
      op: "batch",
      checks: [{ key: "x", version: "v1" }],
      writes: [{ op: "set", key: "k", value: text("1") }],
      sends: [{ function: "next", data: text("hi") }],
    });
    expect(outcome).toEqual([412, "ENOKI_VERSION_CONFLICT"]);
    expect(await run(fixture, { op: "exists", key: "k" })).toEqual({ exists: false });
    expect(fixture.sends).toEqual([]);
  });

  test("with a once key takes effect once", async () => {
    const fixture = await adminFixture();
    const batch = { op: "batch", writes: [{ op: "increment", key: "n", n: 1 }], once: "o1" };
    const first = (await run(fixture, batch)) as { versions: unknown };
    expect(await run(fixture, batch)).toEqual({ versions: first.versions, repeated: true });
    expect(await run(fixture, { op: "counter.value", key: "n" })).toEqual({ value: 1 });
  });
});

describe("a malformed operation is refused", () => {
  const invalid = [400, "ENOKI_INVALID_INPUT"];
  const set = (value: unknown) => ({ op: "batch", writes: [{ op: "set", key: "k", value }] });

  test.each([
    ["", invalid],
    ["{", invalid],
    ["null", invalid],
    ["[]", invalid],
    [{ op: "drop" }, invalid],
    [{ op: "get" }, invalid],
    [{ op: "get", key: "k", extra: 1 }, invalid],
    [{ op: "increment", key: "k" }, invalid],
    [{ op: "increment", key: "k", n: "1" }, invalid],
    [{ op: "set.add", key: "k" }, invalid],
    [{ op: "batch", writes: [{ op: "rename", key: "k" }] }, invalid],
    [set("plain"), invalid],
    [set({ t: "str", v: 1 }), invalid],
    [set({ t: "bytes", v: "#" }), invalid],
    [set({ t: "bytes", v: "AQ=I" }), invalid],
    [set({ t: "json" }), invalid],
    [set({ t: "counter", v: "" }), invalid],
    [{ op: "get", key: "" }, [400, "ENOKI_INVALID_KEY"]],
    [{ op: "getMany", keys: Array(LIMITS.scanPageItemsMax + 1).fill("k") }, invalid],
    [set({ t: "json", v: 2 ** 53 }), [400, "ENOKI_VALUE_UNSUPPORTED"]],
    [{ op: "set.add", key: "k", member: 2 ** 60 }, [400, "ENOKI_VALUE_UNSUPPORTED"]],
    [
      '{"op":"batch","writes":[{"op":"set","key":"k","value":{"t":"str","v":"\\ud800"}}]}',
      [400, "ENOKI_VALUE_UNSUPPORTED"],
    ],
    [{ op: "watch", prefix: "" }, [501, "ENOKI_UNSUPPORTED"]],
  ])("%.80j", async (operation, expected) => {
    expect(await run(await adminFixture(), operation)).toEqual(expected);
  });

  test("and the field is named", async () => {
    const { request } = await adminFixture();
    const body = JSON.stringify(set({ t: "str" }));
    const response = await request("POST", "/v1/keygroups/kg/operations", { body });
    expect(await response.json()).toMatchObject({ field: "writes.0.value.v" });
  });

  test("as is one beyond the size of a frame", async () => {
    const fixture = await adminFixture();
    const body = JSON.stringify(set({ t: "str", v: "x".repeat(LIMITS.frameBytesMax) }));
    expect(await run(fixture, body)).toEqual([413, "ENOKI_BODY_TOO_LARGE"]);
  });
});
