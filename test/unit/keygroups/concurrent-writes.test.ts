import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { EnokiError } from "../../../src/core/errors.js";
import { parseNodeName, type KeygroupName } from "../../../src/core/ids.js";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import type { Keygroup } from "../../../src/keygroups/keygroup.js";
import type { ConflictPolicy, WriteOperation } from "../../../src/keygroups/types.js";
import { MemoryLinkHub } from "../../../src/links/memory.js";
import { MemoryNamingService } from "../../../src/naming/memory.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { openKeygroupNode, type KeygroupNode } from "../../helpers/keygroup-node.js";
import { str, textOf } from "../../helpers/memory-keygroup.js";
import { until } from "../../helpers/node-calls.js";

/**
 * What `set`, `update`, `ifVersion`, `batch` and the CRDT types promise when two nodes write at once: two
 * production keygroups are parted, both sides write, the link comes back, and both must end the same.
 * The table of guarantees in ARCHITECTURE.md names these tests.
 */

const NAME = "data" as KeygroupName;
const [a, b] = [parseNodeName("a"), parseNodeName("b")];

let hub: MemoryLinkHub;
let left: KeygroupNode;
let right: KeygroupNode;

beforeEach(async () => {
  hub = new MemoryLinkHub();
  const service = new MemoryNamingService({ timers: systemTimers });
  left = await openKeygroupNode({ name: "a", hub, service });
  right = await openKeygroupNode({ name: "b", hub, service });
  hub.connect(a, b);
});
afterEach(async () => {
  await left.close();
  await right.close();
});

/** Both nodes hold the keygroup, under that policy. */
async function share(policy: ConflictPolicy): Promise<void> {
  const settings = { policy, ttlMs: 0 };
  const placement = { kind: "replicate" } as const;
  const defaults = { settings, placement, durability: "relaxed" } as const;
  await left.directory.control.createKeygroup(NAME, defaults);
  await right.keygroups.ensure(NAME);
  // Before it knows, a member sends nothing to one that was joining, which then has to catch up.
  await until("a knows that b serves", () => {
    return left.keygroups.local(NAME)?.replicator?.metrics().peers[0]?.isServing;
  });
}

const on = ({ keygroups }: KeygroupNode): Keygroup => keygroups.find(NAME);
const read = (node: KeygroupNode, key: string): string | undefined => textOf(on(node).get(key));
const siblingsOn = (node: KeygroupNode, key: string): (string | undefined)[] =>
  on(node).siblings(key).map(textOf).sort();

async function write(node: KeygroupNode, ...writes: WriteOperation[]): Promise<void> {
  await on(node).write({ writes });
}
const put = (key: string, text: string): WriteOperation => ({ op: "set", key, value: str(text) });

/** Writes if the key still has the version, as `set` with `ifVersion` or `ifAbsent` does. */
async function writeIf(
  node: KeygroupNode,
  version: string | null,
  key: string,
  text: string,
): Promise<void> {
  await on(node).write({ checks: [{ key, version }], writes: [put(key, text)] });
}

/** As `kv.update` of both languages: read, change, write if unchanged, again until it succeeds. */
async function update(
  node: KeygroupNode,
  key: string,
  change: (text: string | undefined) => string,
): Promise<void> {
  for (;;) {
    const entry = on(node).entry(key);
    try {
      await writeIf(node, entry?.version ?? null, key, change(textOf(entry?.value)));
      return;
    } catch (error) {
      if ((error as EnokiError).code !== "ENOKI_VERSION_CONFLICT") throw error;
    }
  }
}

/** All rows of items with what belongs to them, as they are stored. */
function rowsOf(node: KeygroupNode): string[] {
  const kinds = [ROW_PREFIX.item, ROW_PREFIX.index, ROW_PREFIX.garbage, ROW_PREFIX.expiry];
  return kinds.flatMap((prefix) => {
    const range = { start: Uint8Array.of(prefix), end: Uint8Array.of(prefix + 1), limit: 10_000 };
    return on(node)
      .rows.range(range)
      .map((row) => {
        return `${Buffer.from(row.key).toString("hex")}=${Buffer.from(row.value).toString("hex")}`;
      });
  });
}

/** Resolves once each has everything of the other; from then on their stores are the same, to the byte. */
async function settled(): Promise<void> {
  await until("both have applied the same", () => {
    const [one, other] = [on(left).replica.vector, on(right).replica.vector];
    return one.includes(other) && other.includes(one);
  });
  expect(rowsOf(left)).toEqual(rowsOf(right));
}

async function part(): Promise<void> {
  await settled();
  hub.cut(a, b);
}

async function heal(): Promise<void> {
  hub.connect(a, b);
  await settled();
}

/** Whatever is written from now on is later by the clock, too: within one millisecond more writes win. */
async function aMomentLater(): Promise<void> {
  const nowMs = Date.now();
  await until("the clock goes on", () => Date.now() > nowMs);
}

describe("two nodes at once under lww", () => {
  beforeEach(() => share("lww"));

  test("set: both are acknowledged, the later one stays everywhere and the other is lost", async () => {
    await part();
    await write(left, put("k", "earlier"));
    await aMomentLater();
    await write(right, put("k", "later"));
    expect([read(left, "k"), read(right, "k")]).toEqual(["earlier", "later"]);
    await heal();
    expect([read(left, "k"), read(right, "k")]).toEqual(["later", "later"]);
    expect(siblingsOn(left, "k")).toEqual(["later"]);
  });

  test("update: exact on each node, but what one side of a partition did to a key is lost", async () => {
    await write(left, put("n", "10"));
    await part();
    const addOne = (text: string | undefined): string => String(Number(text) + 1);
    await Promise.all([1, 2, 3].map(() => update(left, "n", addOne)));
    await aMomentLater();
    await Promise.all([1, 2].map(() => update(right, "n", addOne)));
    expect([read(left, "n"), read(right, "n")]).toEqual(["13", "12"]);
    await heal();
    // Not 15: the later of the two results.
    expect([read(left, "n"), read(right, "n")]).toEqual(["12", "12"]);
  });

  test("ifVersion and ifAbsent: hold for the node's own replica, so both sides may win, and one is lost", async () => {
    await write(left, put("k", "0"));
    await part();
    const version = on(left).entry("k")?.version ?? null;
    expect(on(right).entry("k")?.version).toBe(version);
    await writeIf(left, version, "k", "left");
    // A lock with `ifAbsent` keeps out others on the same node, not those on the other side.
    await writeIf(left, null, "lock", "left");
    await aMomentLater();
    await writeIf(right, version, "k", "right");
    await writeIf(right, null, "lock", "right");
    await expect(writeIf(left, null, "lock", "again")).rejects.toMatchObject({
      code: "ENOKI_VERSION_CONFLICT",
    });
    await heal();
    expect([read(left, "k"), read(left, "lock")]).toEqual(["right", "right"]);
    await expect(writeIf(left, version, "k", "late")).rejects.toMatchObject({
      code: "ENOKI_VERSION_CONFLICT",
    });
  });

  test("batch: never seen torn, but of the lesser one those keys stay that the other did not write", async () => {
    await write(left, put("x", "0"), put("y", "0"));
    await part();
    await write(left, put("x", "left"), put("y", "left"));
    await aMomentLater();
    await write(right, put("y", "right"), put("z", "right"));
    const seen = new Set<string>();
    const look = (): void => void seen.add([..."xyz"].map((key) => read(left, key)).join(" "));
    on(left).watch({}, look);
    look();
    await heal();
    expect([..."xyz"].map((key) => read(right, key))).toEqual(["left", "right", "right"]);
    // Before and after, and nothing in between.
    expect([...seen]).toEqual(["left left ", "left right right"]);
  });

  test("a batch arrives whole while the link stands", async () => {
    const seen = new Set<string>();
    on(right).watch({}, () => seen.add(`${read(right, "x")} ${read(right, "y")}`));
    for (const text of ["1", "2", "3"]) await write(left, put("x", text), put("y", text));
    await settled();
    expect([...seen].every((pair) => /^(\d) \1$/.test(pair))).toBe(true);
    expect(read(right, "y")).toBe("3");
  });
});

describe.each(["siblings", "merge"] as const)("two nodes at once under %s", (policy) => {
  beforeEach(() => share(policy));

  test("set: both values are kept, until a write that could see both replaces them", async () => {
    await part();
    await write(left, put("k", "one"));
    await aMomentLater();
    await write(right, put("k", "two"));
    await heal();
    for (const node of [left, right]) expect(siblingsOn(node, "k")).toEqual(["one", "two"]);
    expect(read(left, "k")).toBe("two");
    await write(left, put("k", "chosen"));
    await settled();
    for (const node of [left, right]) expect(siblingsOn(node, "k")).toEqual(["chosen"]);
  });

  test("update: what both sides came to is kept; the next one is given the latest and replaces all", async () => {
    await write(left, put("n", "10"));
    await part();
    await update(left, "n", () => "11");
    await aMomentLater();
    await update(right, "n", () => "20");
    await heal();
    for (const node of [left, right]) expect(siblingsOn(node, "n")).toEqual(["11", "20"]);
    await update(left, "n", (text) => `${text}+1`);
    await settled();
    for (const node of [left, right]) expect(siblingsOn(node, "n")).toEqual(["20+1"]);
  });

  test("ifVersion: both sides may win and both are kept; the version of both replaces both", async () => {
    await write(left, put("k", "0"));
    await part();
    const version = on(left).entry("k")?.version ?? null;
    await writeIf(left, version, "k", "left");
    const alone = on(left).entry("k")?.version ?? null;
    await writeIf(right, version, "k", "right");
    await heal();
    expect(siblingsOn(right, "k")).toEqual(["left", "right"]);
    // Who has seen only one of them cannot overwrite the other.
    await expect(writeIf(left, alone, "k", "late")).rejects.toMatchObject({
      code: "ENOKI_VERSION_CONFLICT",
    });
    await writeIf(left, on(left).entry("k")?.version ?? null, "k", "resolved");
    await settled();
    expect(siblingsOn(right, "k")).toEqual(["resolved"]);
  });

  test("batch: both are kept whole, key by key", async () => {
    await part();
    await write(left, put("x", "left"), put("y", "left"));
    await write(right, put("y", "right"), put("z", "right"));
    await heal();
    for (const node of [left, right]) {
      expect([..."xyz"].map((key) => siblingsOn(node, key).join("|"))).toEqual([
        "left",
        "left|right",
        "right",
      ]);
    }
  });
});

describe.each(["lww", "siblings", "merge"] as const)(
  "CRDT values on two nodes under %s",
  (policy) => {
    beforeEach(() => share(policy));

    test("counters, sets and maps end with everything that both sides did", async () => {
      await write(left, { op: "increment", key: "n", n: 10 });
      await write(left, { op: "set.add", key: "s", member: "old" });
      await part();
      for (let i = 0; i < 3; i++) await write(left, { op: "increment", key: "n", n: 1 });
      await write(right, { op: "increment", key: "n", n: -5 }, put("beside", "right"));
      await write(left, { op: "set.add", key: "s", member: "left" });
      await write(right, { op: "set.add", key: "s", member: "right" });
      await write(right, { op: "set.remove", key: "s", member: "old" });
      await write(left, { op: "map.set", key: "m", field: "from", value: "left" });
      await write(right, { op: "map.add", key: "m", field: "hits", n: 2 });
      await heal();
      for (const node of [left, right]) {
        expect(read(node, "n")).toBe("8");
        expect(JSON.parse(read(node, "s") ?? "")).toEqual(["left", "right"]);
        expect(JSON.parse(read(node, "m") ?? "")).toEqual({ from: "left", hits: 2 });
        expect(read(node, "beside")).toBe("right");
      }
    });

    test("an addition that does not know of a delete survives it", async () => {
      await write(left, { op: "increment", key: "n", n: 1 });
      await part();
      await write(left, { op: "delete", key: "n" });
      await write(right, { op: "increment", key: "n", n: 1 });
      await heal();
      for (const node of [left, right]) expect(read(node, "n")).toBe("2");
    });
  },
);
