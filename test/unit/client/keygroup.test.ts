import { afterEach, beforeEach, expect, test } from "vitest";

import { connect, DELETE, type KeygroupClient } from "../../../src/client/index.js";
import { FakeKeygroup } from "./fake-keygroup.js";
import { json, lines, problem, startFakeNode, type FakeNode } from "./fake-node.js";

const STRANGE_KEY = "ä/b c?#%+";

let node: FakeNode;
let keygroup: FakeKeygroup;
let kv: KeygroupClient;

beforeEach(async () => {
  node = await startFakeNode();
  keygroup = new FakeKeygroup(node, "things", ["k", "other", STRANGE_KEY]);
  kv = connect(node.url).kv("things");
});

afterEach(() => node.close());

test.each([
  ["text", "hä", "str"],
  ["the empty string", "", "str"],
  ["bytes", Uint8Array.of(0, 255), "bytes"],
  ["an object", { a: [1, null, "x"] }, "json"],
  ["null", null, "json"],
  ["a number", 1.5, "json"],
])("%s comes back as what was written", async (_, value, type) => {
  const version = await kv.set("k", value);
  expect(await kv.entry("k")).toEqual({ value, type, version, expiresAt: undefined });
  expect(await kv.get("k")).toEqual(value);
});

test("a string is stored as JSON when asked for", async () => {
  await kv.set("k", "text", { as: "json" });
  expect(keygroup.stored.get("k")?.body.toString()).toBe('"text"');
  expect(await kv.entry("k")).toMatchObject({ value: "text", type: "json" });
});

test("a missing key gives the default, undefined, no entry, and does not exist", async () => {
  expect(await kv.get("k")).toBeUndefined();
  expect(await kv.get("k", 7)).toBe(7);
  expect(await kv.entry("k")).toBeUndefined();
  expect(await kv.exists("k")).toBe(false);
  await kv.set("k", "");
  expect(await kv.exists("k")).toBe(true);
});

test("a missing keygroup is an error, not a missing key", async () => {
  for (const method of ["GET", "HEAD"]) {
    node.on(`${method} /v1/keygroups/things/keys/k`, (_, response) =>
      problem(response, 404, "ENOKI_KEYGROUP_NOT_FOUND", "no keygroup things"),
    );
  }
  await expect(kv.get("k", "default")).rejects.toMatchObject({ code: "ENOKI_KEYGROUP_NOT_FOUND" });
  await expect(kv.exists("k")).rejects.toMatchObject({ code: "ENOKI_KEYGROUP_NOT_FOUND" });
});

test("keys with slashes, blanks and letters beyond ASCII travel whole", async () => {
  await kv.set(STRANGE_KEY, "v");
  expect(await kv.get(STRANGE_KEY)).toBe("v");
});

test.each(["", ".", "..", "\ud800", "x".repeat(1025)])("the key %j is refused", async (key) => {
  await expect(kv.get(key)).rejects.toMatchObject({ code: "ENOKI_INVALID_KEY" });
  expect(node.requests).toEqual([]);
});

test.each([Number.NaN, Infinity, 2 ** 53, { a: 1n }, [new Date(0)]])(
  "the value %s is refused",
  async (value) => {
    await expect(kv.set("k", value as never)).rejects.toMatchObject({
      code: "ENOKI_VALUE_UNSUPPORTED",
    });
  },
);

test("conditions and lifetime are sent, and a failed condition is a conflict", async () => {
  const version = await kv.set("k", "1", { ifAbsent: true, ttl: "10m" });
  expect(keygroup.stored.get("k")?.ttl).toBe("10m");
  expect((await kv.entry("k"))?.expiresAt).toEqual(new Date("2030-01-02T03:04:05.678Z"));
  await expect(kv.set("k", "2", { ifAbsent: true })).rejects.toMatchObject({
    code: "ENOKI_VERSION_CONFLICT",
  });
  await kv.set("k", "2", { ifVersion: version });
  await expect(kv.set("k", "3", { ifVersion: version })).rejects.toMatchObject({
    code: "ENOKI_VERSION_CONFLICT",
  });
  await expect(kv.set("k", "3", { ttl: "10" })).rejects.toMatchObject({
    code: "ENOKI_INVALID_INPUT",
  });
});

test("delete says whether there was something", async () => {
  await kv.set("k", "1");
  expect([await kv.delete("k"), await kv.delete("k")]).toEqual([true, false]);
});

test("getMany maps the keys that exist", async () => {
  await kv.set("k", "1");
  expect(await kv.getMany(["k", "other", "k"])).toEqual(new Map([["k", "1"]]));
});

test("update runs again when somebody wrote in between, and loses nothing", async () => {
  await kv.set("k", 1);
  let runs = 0;
  const updated = await kv.update<number>("k", (value) => {
    runs += 1;
    if (runs === 1) keygroup.store("k", "application/json", "10");
    return (value ?? 0) + 1;
  });
  expect([updated, runs, await kv.get("k")]).toEqual([11, 2, 11]);
});

test("update creates, leaves alone, deletes, and passes exceptions on", async () => {
  expect(await kv.update("k", (value) => (value === undefined ? "new" : "old"))).toBe("new");
  expect(await kv.update("k", () => undefined)).toBeUndefined();
  expect(await kv.get("k")).toBe("new");
  await expect(
    kv.update("k", () => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  await kv.update("k", () => DELETE);
  expect(await kv.exists("k")).toBe(false);
});

test("counters, batches and siblings use the operations of the function channel", async () => {
  expect([await kv.increment("k"), await kv.increment("k", 4)]).toEqual([1, 5]);
  expect(await kv.counter("k").add(2)).toBe(7);
  expect(await kv.setOf("other").value()).toBe(7);
  expect(await kv.siblings("k")).toEqual(["a", Uint8Array.of(1, 2)]);
  const batch = kv.batch().check("other", null).set("a", "x", { ttl: "1s" }).delete("k").once("id");
  expect(await batch.commit()).toEqual({ versions: [null, null], repeated: false });
  expect(JSON.parse(node.requests.at(-1)?.body.toString() ?? "")).toEqual({
    op: "batch",
    checks: [{ key: "other", version: null }],
    writes: [
      { op: "set", key: "a", value: { t: "str", v: "x" }, ttlMs: 1000 },
      { op: "delete", key: "k" },
    ],
    sends: [],
    once: "id",
  });
});

test("a scan follows the pages and stops at its limit", async () => {
  node.on("GET /v1/keygroups/things/keys", ({ url }, response) => {
    const after = new URL(url, node.url).searchParams.get("after");
    const key = after === null ? "a" : "b";
    const items = [{ key, value: { t: "str", v: `value of ${key}` } }];
    json(response, 200, { items, next: key === "a" ? "a" : null });
  });
  expect(await kv.scan({ prefix: "x" }).toArray()).toEqual([
    ["a", "value of a"],
    ["b", "value of b"],
  ]);
  expect(node.requests.map(({ url }) => url.split("?")[1])).toEqual([
    "prefix=x&values=true&limit=1000",
    "prefix=x&values=true&limit=1000&after=a",
  ]);
  const keys = [];
  for await (const key of kv.keys("s", { end: "t", reverse: true, limit: 1 })) keys.push(key);
  expect(keys).toEqual(["a"]);
  expect(node.requests.at(-1)?.url.split("?")[1]).toBe("start=s&end=t&reverse=true&limit=1");
});

test("a prefix excludes start and end", () => {
  expect(() => kv.scan({ prefix: "a", start: "b" })).toThrow("prefix excludes start and end");
});

test("watch yields changes with their types and skips the empty lines that keep it open", async () => {
  node.on("GET /v1/keygroups/things/watch", (_, response) => {
    response.write('{"key":"a","value":{"t":"bytes","v":"AQ=="},"version":"1"}\n\n{"key":"a",');
    response.end('"value":null,"version":"2"}\n');
  });
  const events = [];
  for await (const event of kv.watch({ prefix: "a" })) events.push(event);
  expect(events).toEqual([
    { key: "a", value: Uint8Array.of(1), version: "1", type: "bytes" },
    { key: "a", value: undefined, version: "2", type: undefined },
  ]);
});

test("leaving the loop over a watch ends the request, and a signal ends the loop", async () => {
  let closed = 0;
  const closings = new Promise<void>((resolve) => {
    node.on("GET /v1/keygroups/things/watch", (_, response) => {
      response.write('{"key":"a","value":null,"version":"1"}\n');
      response.on("close", () => (closed += 1) === 1 && resolve());
    });
  });
  for await (const event of kv.watch()) {
    expect(event.key).toBe("a");
    break;
  }
  await closings;
  const controller = new AbortController();
  for await (const event of kv.watch("", { signal: controller.signal })) {
    controller.abort();
    expect(event.key).toBe("a");
  }
});

test("a stream that breaks off with an error line throws that error", async () => {
  node.on("GET /v1/keygroups/things/export", (_, response) =>
    lines(response, [{ key: "a" }, { error: { code: "ENOKI_DISK_FULL", message: "full" } }]),
  );
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { key } of kv.export()) seen.push(key);
  })();
  await expect(reading).rejects.toMatchObject({ code: "ENOKI_DISK_FULL" });
  expect(seen).toEqual(["a"]);
});

test("an import of any size is sent in parts, and counts all keys", async () => {
  node.on("POST /v1/keygroups/things/import", ({ body }, response) =>
    json(response, 200, { imported: body.toString().trim().split("\n").length }),
  );
  const value = { t: "str", v: "x".repeat(400_000) } as const;
  const exported = Array.from({ length: 5 }, (_, i) => ({ key: `k${i}`, value }));
  expect(await kv.import(exported)).toBe(5);
  expect(node.requests).toHaveLength(3);
  expect(await kv.import([])).toBe(0);
});

test("an import that fails in a later part counts from the first line of all", async () => {
  let parts = 0;
  node.on("POST /v1/keygroups/things/import", (_, response) => {
    parts += 1;
    if (parts === 1) json(response, 200, { imported: 2 });
    else problem(response, 400, "ENOKI_INVALID_KEY", "line 1: bad", { line: 1, imported: 0 });
  });
  const value = { t: "str", v: "x".repeat(400_000) } as const;
  const exported = Array.from({ length: 3 }, (_, i) => ({ key: `k${i}`, value }));
  await expect(kv.import(exported)).rejects.toMatchObject({
    code: "ENOKI_INVALID_KEY",
    extra: { line: 3, imported: 2 },
  });
});
