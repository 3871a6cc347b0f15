import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { ChannelTap } from "./channel-tap.js";
import { submitCall } from "./submit-call.js";

const EXAMPLES = join(import.meta.dirname, "../../../examples");
const CALLS = 50;
const ONE_INSTANCE = { maxInstances: 1 };

/** Does with `kv` what its input says. */
const KV = `
import { kv } from "enoki";
const parts = {
  nothing: () => "",
  get: () => kv.get("key"),
  missing: () => kv.get("missing"),
  set: () => kv.set("key", "value"),
  conditional: async () => kv.set("key", "value", { ifVersion: (await kv.entry("key")).version }),
  increment: () => kv.increment("counter"),
  update: () => kv.update("key", (value) => value + "x"),
  delete: () => kv.delete("gone"),
  getMany: () => kv.getMany(["key", "a", "b", "c"]),
  scan: async () => { for await (const pair of kv.scan({ limit: 10 })) pair; },
  batch: () => kv.batch().set("a", 1).set("b", 2).delete("c").increment("counter").commit(),
  twice: () => Promise.all([kv.set("a", 1), kv.set("b", 2)]),
};
export async function call(input) { await parts[input](); return ""; }
`;

/** The same in Python. */
const PYTHON_KV = `
import kv
PARTS = {
    "get": lambda: kv.get("key"),
    "missing": lambda: kv.get("missing"),
    "exists": lambda: kv.exists("key"),
    "getMany": lambda: kv.get_many(["key", "a", "b", "c"]),
    "scan": lambda: list(kv.scan(limit=10)),
    "keys": lambda: list(kv.keys(prefix="k")),
    "set": lambda: kv.set("key", "value"),
    "update": lambda: kv.update("key", lambda value: value + "x"),
    "conditional": lambda: kv.set("key", "value", if_version=kv.entry("key").version),
    "increment": lambda: kv.increment("counter"),
    "delete": lambda: kv.delete("gone"),
    "batch": lambda: kv.batch().set("a", 1).set("b", 2).delete("c").increment("counter").commit(),
}
def call(i):
    PARTS[i]()
    return ""
`;

let running: RunningNode;
let tap: ChannelTap;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  tap = new ChannelTap(running.node.launcher);
  await deployFiles(
    running,
    "noop",
    { "index.mjs": `export const call = () => "";` },
    ONE_INSTANCE,
  );
  await deployFiles(running, "kv", { "index.mjs": KV }, ONE_INSTANCE);
  await deployFiles(running, "pykv", { "main.py": PYTHON_KV }, ONE_INSTANCE);
  for (const name of ["kv", "pykv"]) {
    await running.client.kv(name).set("key", "value");
    // Its instance is up before anything is counted.
    await call(name, "get");
  }
});
afterAll(() => running?.remove());

const call = (name: string, body = "") => submitCall(running, name, body);

async function callInTurn(name: string, body?: string): Promise<void> {
  for (let i = 0; i < CALLS; i++) await call(name, body);
}

describe("a call that does nothing", () => {
  test("is one frame and one write in each direction, and few bytes", async () => {
    const work = await tap.during(() => callInTurn("noop"));
    expect(work).toMatchObject({
      frames: { invoke: CALLS, result: CALLS },
      writes: CALLS,
      reads: CALLS,
    });
    expect(work.bytesSent / CALLS).toBeLessThanOrEqual(80);
    expect(work.bytesReceived / CALLS).toBeLessThanOrEqual(64);
  });

  test("shares its write with seven others of its turn", async () => {
    const work = await tap.during(() =>
      Promise.all(Array.from({ length: 32 }, () => call("noop"))),
    );
    expect(work).toMatchObject({ frames: { invoke: 32, result: 32 }, writes: 4 });
    // The instance answers what it finds in one read in one write.
    expect(work.reads).toBeLessThanOrEqual(4);
  });

  test("leaves no timer behind", async () => {
    await call("noop");
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((one) => one === "Timeout").length;
    const before = timers();
    await callInTurn("noop");
    await Promise.all(Array.from({ length: 32 }, () => call("noop")));
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test("commits nothing", async () => {
    const { work } = running.node.keygroups.list().find(({ name }) => name === "noop") ?? {};
    const before = work?.commitsTotal;
    await callInTurn("noop");
    expect(work?.commitsTotal).toBe(before);
  });
});

describe("each use of kv costs", () => {
  test.each([
    // what, operations, commits: plain values are read in place; the scan meets a counter
    ["nothing", 0, 0],
    ["get", 0, 0],
    ["missing", 0, 0],
    ["set", 1, 1],
    ["conditional", 2, 1],
    ["increment", 1, 1],
    ["update", 2, 1],
    ["delete", 1, 1],
    ["getMany", 0, 0],
    ["scan", 1, 0],
    ["batch", 1, 1],
    ["twice", 2, 1],
  ])("%s: %i operations, and %i commits", async (what, operations, commits) => {
    const keygroup = running.node.keygroups.list().find(({ name }) => name === "kv");
    const before = keygroup?.work.commitsTotal ?? 0;
    const work = await tap.during(() => callInTurn("kv", what));
    const each = (count: number): number => count / CALLS;
    const asked = each(work.frames["operation"] ?? 0);
    expect(asked).toBe(operations);
    expect(each(work.frames["reply"] ?? 0)).toBe(asked);
    expect(each((keygroup?.work.commitsTotal ?? 0) - before)).toBe(commits);
    // Every answer leaves at the end of its turn; what was asked in one turn is answered in one write.
    const trips = what === "twice" ? 1 : asked;
    expect(each(work.writes)).toBe(1 + trips);
    expect(Object.keys(work.frames).toSorted()).toEqual(
      asked > 0 ? ["invoke", "operation", "reply", "result"] : ["invoke", "result"],
    );
  });
});

describe("in Python, each use of kv costs", () => {
  test.each([
    // what, operations, commits: plain values are read in place
    ["get", 0, 0],
    ["missing", 0, 0],
    ["exists", 0, 0],
    ["getMany", 0, 0],
    ["scan", 0, 0],
    ["keys", 0, 0],
    ["set", 1, 1],
    ["update", 2, 1],
    ["conditional", 2, 1],
    ["delete", 1, 1],
    ["increment", 1, 1],
    ["batch", 1, 1],
  ])("%s: %i operations, and %i commits", async (what, operations, commits) => {
    const keygroup = running.node.keygroups.list().find(({ name }) => name === "pykv");
    const before = keygroup?.work.commitsTotal ?? 0;
    const { frames, writes } = await tap.during(() => callInTurn("pykv", what));
    expect((keygroup?.work.commitsTotal ?? 0) - before).toBe(commits * CALLS);
    const { operation = 0, reply = 0, ...others } = frames;
    expect([operation / CALLS, reply / CALLS]).toEqual([operations, operations]);
    expect(others).toEqual({ invoke: CALLS, result: CALLS });
    expect(writes).toBe((1 + operations) * CALLS);
  });
});

describe("the moving average", () => {
  test.each([
    // Two sets that wait for their answers together, and one batch.
    ["typescript", "index.ts", 2],
    ["python", "fn.py", 1],
  ])(
    "in %s takes one answer to wait for, and a bounded number of operations and commits",
    async (folder, file, operations) => {
      const source = await readFile(join(EXAMPLES, "moving-average", folder, file), "utf8");
      await deployFiles(running, `avg-${folder}`, { [file]: source }, ONE_INSTANCE);
      const keygroup = running.node.keygroups.list().find(({ name }) => name === `avg-${folder}`);
      for (let i = 0; i < 12; i++) await call(`avg-${folder}`, "1.5");
      const before = keygroup?.work.commitsTotal ?? 0;
      const work = await tap.during(() => callInTurn(`avg-${folder}`, "1.5"));
      // Write the reading and the pointer; the pointer and the last ten are read in place.
      const asked = operations * CALLS;
      expect(work.frames).toEqual({ invoke: CALLS, result: CALLS, operation: asked, reply: asked });
      expect((keygroup?.work.commitsTotal ?? 0) - before).toBe(CALLS);
      expect(work.writes).toBe(2 * CALLS);
    },
  );
});

test("32 writers at once share commits, on one channel and over several", async () => {
  await deployFiles(running, "many", { "index.mjs": KV }, { maxInstances: 4, concurrency: 8 });
  await Promise.all(Array.from({ length: 32 }, () => call("many", "set")));
  for (const name of ["kv", "many"]) {
    const keygroup = running.node.keygroups.list().find((one) => one.name === name);
    const before = keygroup?.work.commitsTotal ?? 0;
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 32 }, () => call(name, "set")));
    }
    expect((keygroup?.work.commitsTotal ?? 0) - before, name).toBeLessThan(320 / 4);
  }
});
