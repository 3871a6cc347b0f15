/**
 * What a keygroup promises, as one page: commits, conditions, expiry, scans, CRDTs, effect once.
 *
 * why so long: each test is a few lines, and all of them share the fixture's few helpers.
 */
import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import type { WriteOperation } from "../../../src/keygroups/types.js";
import { openTestKeygroup, str, textOf, type TestKeygroup } from "../../helpers/memory-keygroup.js";

const set = (key: string, text: string): WriteOperation => ({ op: "set", key, value: str(text) });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof EnokiError ? error.code : String(error);
  }
  return "none";
}

describe("group commit", () => {
  test("all writes of one turn share one transaction", async () => {
    const { keygroup, storage } = await openTestKeygroup();
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => keygroup.write({ writes: [set(`k${i}`, "v")] })),
    );
    expect(storage.transactions).toBe(1);
    expect(storage.syncs).toBe(0);
    expect((await keygroup.describe()).keys).toBe(100);
  });

  test("a write is not visible before its commit and is visible when it is acknowledged", async () => {
    const { keygroup } = await openTestKeygroup();
    const written = keygroup.write({ writes: [set("k", "v")] });
    expect(keygroup.get("k")).toBeUndefined();
    await written;
    expect(textOf(keygroup.get("k"))).toBe("v");
  });

  test("strict acknowledges only after a sync, and one sync serves all who wait", async () => {
    const { keygroup, storage } = await openTestKeygroup({
      config: { policy: "lww", durability: "strict", ttlMs: 0 },
    });
    let release = (): void => {};
    storage.syncGate = new Promise((resolve) => (release = resolve));
    let acknowledged = 0;
    const writes = Array.from({ length: 32 }, (_, i) =>
      keygroup.write({ writes: [set(`k${i}`, "v")] }).then(() => (acknowledged += 1)),
    );
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(storage.syncs).toBe(1);
    expect(acknowledged).toBe(0);
    release();
    await Promise.all(writes);
    expect(acknowledged).toBe(32);
    expect(storage.syncs).toBe(1);
  });

  test("a disk that hangs in a sync holds up no relaxed write, and no keygroup beside it", async () => {
    const { keygroup, storage } = await openTestKeygroup({ syncIntervalMs: 1 });
    const beside = await openTestKeygroup({
      config: { policy: "lww", durability: "strict", ttlMs: 0 },
    });
    let release = (): void => {};
    storage.syncGate = new Promise((resolve) => (release = resolve));
    await keygroup.write({ writes: [set("k", "1")] });
    await expect.poll(() => storage.syncs).toBe(1);
    await keygroup.write({ writes: [set("k", "2")] });
    expect(textOf(keygroup.get("k"))).toBe("2");
    await beside.keygroup.write({ writes: [set("k", "strict")] });
    expect(textOf(beside.keygroup.get("k"))).toBe("strict");
    release();
  });

  test("a refused write leaves the others of its turn alone", async () => {
    const { keygroup } = await openTestKeygroup();
    const [good, bad, after] = await Promise.allSettled([
      keygroup.write({ writes: [set("a", "1")] }),
      keygroup.write({ writes: [set("b", "1")], checks: [{ key: "b", version: "1.0.99" }] }),
      keygroup.write({ writes: [set("c", "1")] }),
    ]);
    expect([good.status, bad.status, after.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(keygroup.get("b")).toBeUndefined();
  });

  test("a full disk refuses the whole turn, and later writes go on with fresh dots", async () => {
    const { keygroup, storage } = await openTestKeygroup();
    await keygroup.write({ writes: [set("k", "before")] });
    storage.failure = new EnokiError("ENOKI_DISK_FULL");
    expect(await codeOf(keygroup.write({ writes: [set("k", "lost")] }))).toBe("ENOKI_DISK_FULL");
    expect(textOf(keygroup.get("k"))).toBe("before");
    await keygroup.write({ writes: [set("k", "after")] });
    expect(textOf(keygroup.get("k"))).toBe("after");
  });
});

describe("conditions", () => {
  test("ifVersion takes the version that entry shows, and no other", async () => {
    const { keygroup } = await openTestKeygroup();
    await keygroup.write({ writes: [set("k", "1")] });
    const version = keygroup.entry("k")?.version ?? "";
    const checks = [{ key: "k", version }];
    await keygroup.write({ writes: [set("k", "2")], checks });
    expect(await codeOf(keygroup.write({ writes: [set("k", "3")], checks }))).toBe(
      "ENOKI_VERSION_CONFLICT",
    );
    expect(textOf(keygroup.get("k"))).toBe("2");
  });

  test("of many that want to create a key, one does", async () => {
    const { keygroup } = await openTestKeygroup();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        keygroup.write({ writes: [set("k", `${i}`)], checks: [{ key: "k", version: null }] }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
  });

  test("a check on one key guards writes of others, all or nothing", async () => {
    const { keygroup } = await openTestKeygroup();
    const batch = {
      writes: [set("a", "1"), set("b", "1")],
      checks: [{ key: "gate", version: "9.9.9" }],
    };
    expect(await codeOf(keygroup.write(batch))).toBe("ENOKI_VERSION_CONFLICT");
    expect(keygroup.get("a")).toBeUndefined();
    expect(keygroup.get("b")).toBeUndefined();
  });

  test("the operations of a batch see each other, and share one version", async () => {
    const { keygroup } = await openTestKeygroup();
    const { results } = await keygroup.write({
      writes: [
        set("k", "1"),
        { op: "delete", key: "k" },
        { op: "increment", key: "n", n: 2 },
        { op: "increment", key: "n", n: 3 },
      ],
    });
    expect(keygroup.get("k")).toBeUndefined();
    expect(textOf(keygroup.get("n"))).toBe("5");
    expect(results.map((result) => result.value)).toEqual([undefined, undefined, 2, 5]);
    expect(results[1]?.existed).toBe(true);
    expect(results[0]?.version).toBe(results[2]?.version);
  });
});

describe("expiry", () => {
  test("a value is gone at its ttl, for reads, scans and conditions", async () => {
    const { keygroup, clock } = await openTestKeygroup();
    await keygroup.write({ writes: [{ op: "set", key: "k", value: str("v"), ttlMs: 1000 }] });
    clock.wallMs += 999;
    expect(textOf(keygroup.get("k"))).toBe("v");
    clock.wallMs += 1;
    expect(keygroup.get("k")).toBeUndefined();
    expect(keygroup.entry("k")).toBeUndefined();
    expect(keygroup.scan({ limit: 0 }).items).toEqual([]);
    await keygroup.write({ writes: [set("k", "new")], checks: [{ key: "k", version: null }] });
    expect(textOf(keygroup.get("k"))).toBe("new");
  });

  test("a set without ttl clears an older one", async () => {
    const { keygroup, clock } = await openTestKeygroup();
    await keygroup.write({ writes: [{ op: "set", key: "k", value: str("v"), ttlMs: 1000 }] });
    await keygroup.write({ writes: [set("k", "w")] });
    clock.wallMs += 5000;
    expect(textOf(keygroup.get("k"))).toBe("w");
    expect(keygroup.entry("k")?.expiresAtMs).toBe(0);
  });

  test("the keygroup's own ttl holds where a write names none", async () => {
    const { keygroup, clock } = await openTestKeygroup({
      config: { policy: "lww", durability: "relaxed", ttlMs: 500 },
    });
    await keygroup.write({ writes: [set("k", "v")] });
    expect(keygroup.entry("k")?.expiresAtMs).toBe(clock.wallMs + 500);
  });

  test("an increment keeps the expiry that the counter has", async () => {
    const { keygroup, clock } = await openTestKeygroup({
      config: { policy: "lww", durability: "relaxed", ttlMs: 500 },
    });
    await keygroup.write({ writes: [{ op: "increment", key: "n", n: 1 }] });
    const expiresAtMs = keygroup.entry("n")?.expiresAtMs;
    clock.wallMs += 100;
    await keygroup.write({ writes: [{ op: "increment", key: "n", n: 1 }] });
    expect(keygroup.entry("n")?.expiresAtMs).toBe(expiresAtMs);
  });
});

describe("scans", () => {
  const keys = ["a", "a/1", "a/2", "b", "ä", "\u{10ffff}", "\u{fffd}"];

  async function filled() {
    const { keygroup } = await openTestKeygroup();
    await keygroup.write({ writes: keys.map((key) => set(key, key)) });
    return keygroup;
  }
  const keysOf = (page: { items: readonly { key: string }[] }): string[] =>
    page.items.map((item) => item.key);

  test("the order is that of UTF-8 bytes", async () => {
    const keygroup = await filled();
    const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    expect(keysOf(keygroup.scan({ limit: 0 }))).toEqual(sorted);
    expect(keysOf(keygroup.scan({ limit: 0, reverse: true }))).toEqual(sorted.toReversed());
  });

  test("start is inclusive, end exclusive, prefix excludes both", async () => {
    const keygroup = await filled();
    expect(keysOf(keygroup.scan({ start: "a/1", end: "b", limit: 0 }))).toEqual(["a/1", "a/2"]);
    expect(keysOf(keygroup.scan({ prefix: "a/", limit: 0 }))).toEqual(["a/1", "a/2"]);
    expect(() => keygroup.scan({ prefix: "a", end: "b", limit: 0 })).toThrow(EnokiError);
    expect(() => keygroup.scan({ prefix: "a", start: "a/2", limit: 0 })).toThrow(EnokiError);
  });

  test.each([false, true])("pages join to the whole (reverse: %s)", async (reverse) => {
    const keygroup = await filled();
    const whole = keysOf(keygroup.scan({ limit: 0, reverse }));
    const found: string[] = [];
    let last: string | undefined;
    for (;;) {
      const page = keygroup.scan({
        limit: 2,
        reverse,
        ...(last === undefined ? {} : { start: last, after: true }),
      });
      found.push(...keysOf(page));
      last = page.items.at(-1)?.key;
      if (!page.more) break;
    }
    expect(found).toEqual(whole);
  });

  test("deleted keys and the platform's own keys are not shown", async () => {
    const keygroup = await filled();
    await keygroup.write({ writes: [{ op: "delete", key: "b" }], once: "first" });
    expect(keysOf(keygroup.scan({ limit: 0 }))).not.toContain("b");
    expect(keygroup.scan({ limit: 0 }).items).toHaveLength(keys.length - 1);
  });

  test("a page ends early rather than hold more than its bytes", async () => {
    const { keygroup } = await openTestKeygroup();
    const big = "x".repeat(1024 * 1024);
    for (let i = 0; i < 6; i++) await keygroup.write({ writes: [set(`k${i}`, big)] });
    const page = keygroup.scan({ limit: 0 });
    expect(page.items.length).toBeLessThan(6);
    expect(page.more).toBe(true);
  });
});

describe("a description", () => {
  async function filled(): Promise<TestKeygroup> {
    const test = await openTestKeygroup();
    const writes = Array.from({ length: 40 }, (_, i) => set(`key-${i + 10}`, "value"));
    await test.keygroup.write({ writes: [...writes, set("deleted", "x")] });
    await test.keygroup.write({ writes: [{ op: "delete", key: "deleted" }] });
    return test;
  }

  test("has the number of keys and the bytes of keys and values", async () => {
    const { keygroup } = await filled();
    expect(await keygroup.describe()).toMatchObject({ keys: 40, sizeBytes: 40 * (6 + 5) });
  });

  test("is counted in slices, between which the event loop runs", async () => {
    const { keygroup, storage } = await filled();
    const { range } = storage;
    let turns = 0;
    let isDone = false;
    const readIn: number[] = [];
    storage.range = (options) => {
      readIn.push(turns);
      const endMs = performance.now() + 5;
      while (performance.now() < endMs);
      return range(options);
    };
    const tick = (): void => {
      turns += 1;
      if (!isDone) setImmediate(tick);
    };
    tick();
    const [first, second] = await Promise.all([keygroup.describe(), keygroup.describe()]);
    isDone = true;
    expect([first.keys, second.keys]).toEqual([40, 40]);
    expect(readIn.length).toBeGreaterThan(4);
    expect(new Set(readIn).size).toBe(readIn.length);
  });

  test("that is asked for during a count has what was written before it was asked for", async () => {
    const { keygroup } = await filled();
    const early = keygroup.describe();
    await early;
    const during = keygroup.describe();
    await keygroup.write({ writes: [set("a", "v")] });
    const late = keygroup.describe();
    expect((await late).keys).toBe(41);
    await during;
  });

  test("ends when the keygroup closes", async () => {
    const { keygroup } = await filled();
    const described = keygroup.describe();
    await keygroup.close();
    await described;
    expect((await keygroup.describe()).keys).toBe(0);
  });
});

describe("CRDT values", () => {
  test("a plain value refuses an increment, and a set replaces a counter", async () => {
    const { keygroup } = await openTestKeygroup();
    await keygroup.write({ writes: [set("k", "text")] });
    expect(await codeOf(keygroup.write({ writes: [{ op: "increment", key: "k", n: 1 }] }))).toBe(
      "ENOKI_TYPE_MISMATCH",
    );
    await keygroup.write({ writes: [{ op: "increment", key: "n", n: 7 }] });
    await keygroup.write({ writes: [set("n", "plain")] });
    expect(textOf(keygroup.get("n"))).toBe("plain");
  });

  test("sets and maps show their members as JSON", async () => {
    const { keygroup } = await openTestKeygroup();
    await keygroup.write({
      writes: [
        { op: "set.add", key: "s", member: "x" },
        { op: "set.add", key: "s", member: { y: 1 } },
        { op: "set.remove", key: "s", member: "x" },
        { op: "map.set", key: "m", field: "name", value: "Ada" },
        { op: "map.add", key: "m", field: "visits", n: 2 },
      ],
    });
    expect(JSON.parse(textOf(keygroup.get("s")) ?? "")).toEqual([{ y: 1 }]);
    expect(JSON.parse(textOf(keygroup.get("m")) ?? "")).toEqual({ name: "Ada", visits: 2 });
  });

  test("an export brings counters, types and expiry back", async () => {
    const source = await openTestKeygroup();
    await source.keygroup.write({
      writes: [
        { op: "increment", key: "n", n: 5 },
        { op: "set", key: "t", value: str("v"), ttlMs: 60_000 },
      ],
    });
    const target = await openTestKeygroup();
    expect(await target.keygroup.importItems(source.keygroup.exportItems())).toBe(2);
    await target.keygroup.write({ writes: [{ op: "increment", key: "n", n: 1 }] });
    expect(textOf(target.keygroup.get("n"))).toBe("6");
    expect(target.keygroup.entry("t")?.expiresAtMs).toBe(source.keygroup.entry("t")?.expiresAtMs);
  });
});

describe("effect once", () => {
  test("a repeat changes nothing and gives the first outcome", async () => {
    const { keygroup } = await openTestKeygroup();
    const request = { writes: [{ op: "increment", key: "n", n: 1 } as const], once: "call-1" };
    const first = await keygroup.write(request);
    const second = await keygroup.write(request);
    expect(textOf(keygroup.get("n"))).toBe("1");
    expect(second).toEqual({ ...first, repeated: true });
  });

  test("two at the same instant take effect once", async () => {
    const { keygroup } = await openTestKeygroup();
    const request = { writes: [{ op: "increment", key: "n", n: 1 } as const], once: "call-1" };
    await Promise.all([keygroup.write(request), keygroup.write(request)]);
    expect(textOf(keygroup.get("n"))).toBe("1");
  });

  test("a key is remembered to the last millisecond of 7 days, then forgotten and takes effect anew", async () => {
    const { keygroup, clock } = await openTestKeygroup({ syncIntervalMs: 1, collectIntervalMs: 1 });
    const range = {
      start: Uint8Array.of(ROW_PREFIX.item),
      end: Uint8Array.of(ROW_PREFIX.item + 1),
    };
    const items = (): number => keygroup.rows.range(range).length;
    const request = { writes: [{ op: "increment", key: "n", n: 1 } as const], once: "call-1" };
    const first = await keygroup.write(request);
    clock.wallMs += 7 * 86_400_000 - 1;
    expect(await keygroup.write(request)).toEqual({ ...first, repeated: true });
    expect(textOf(keygroup.get("n"))).toBe("1");
    expect(items()).toBe(2);
    clock.wallMs += 1;
    await expect.poll(items).toBe(1);
    const anew = await keygroup.write(request);
    expect(anew).toMatchObject({ repeated: false, results: [{ value: 2 }] });
    // It is the second outcome that counts from here on.
    expect(await keygroup.write(request)).toEqual({ ...anew, repeated: true });
    expect(textOf(keygroup.get("n"))).toBe("2");
  });

  test("a refused batch does not use up its key", async () => {
    const { keygroup } = await openTestKeygroup();
    const checks = [{ key: "gate", version: "1.0.77" }];
    expect(await codeOf(keygroup.write({ writes: [set("a", "1")], checks, once: "x" }))).toBe(
      "ENOKI_VERSION_CONFLICT",
    );
    expect((await keygroup.write({ writes: [set("a", "1")], once: "x" })).repeated).toBe(false);
  });
});

describe("watching", () => {
  test("a watcher hears each commit in its range, deletes included, until it stops", async () => {
    const { keygroup } = await openTestKeygroup();
    const heard: string[] = [];
    const stop = keygroup.watch({ prefix: "a/" }, (event) =>
      heard.push(`${event.key}=${textOf(event.value) ?? "gone"}`),
    );
    await keygroup.write({ writes: [set("a/1", "x"), set("b", "y")] });
    await keygroup.write({ writes: [{ op: "delete", key: "a/1" }] });
    stop();
    await keygroup.write({ writes: [set("a/2", "z")] });
    expect(heard).toEqual(["a/1=x", "a/1=gone"]);
  });
});

describe("bad input", () => {
  test.each([
    ["an empty key", set("", "v"), "ENOKI_INVALID_KEY"],
    ["a key of 1,025 bytes", set("k".repeat(1025), "v"), "ENOKI_INVALID_KEY"],
    ["half a surrogate pair", set("\ud800", "v"), "ENOKI_INVALID_KEY"],
    ["a value above 16 MiB", set("k", "x".repeat(16 * 1024 * 1024 + 1)), "ENOKI_VALUE_TOO_LARGE"],
    ["half an increment", { op: "increment", key: "n", n: 0.5 }, "ENOKI_VALUE_UNSUPPORTED"],
  ] as const)("%s is refused", async (_, operation, code) => {
    const { keygroup } = await openTestKeygroup();
    expect(await codeOf(keygroup.write({ writes: [operation as WriteOperation] }))).toBe(code);
  });

  test("the longest key and the largest value are taken", async () => {
    const { keygroup } = await openTestKeygroup();
    const key = "k".repeat(1024);
    await keygroup.write({ writes: [set(key, "x".repeat(16 * 1024 * 1024))] });
    expect(keygroup.get(key)?.bytes.length).toBe(16 * 1024 * 1024);
  });
});
