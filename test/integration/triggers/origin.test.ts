import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import { deployFiles, send, until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

/** Keep each event that they get. */
const WATCHERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "watch-node": {
    "index.mjs": `
import { kv } from "enoki";
export async function call(event, ctx) {
  const tries = await kv.increment("tries/" + ctx.idempotencyKey);
  if (event.value === "twice" && tries === 1) throw new Error("not yet");
  await kv.set("seen/" + event.key + "/" + event.version, { event, key: ctx.idempotencyKey });
}
`,
  },
  "watch-python": {
    "fn.py": `
import kv

def call(event, ctx):
    kv.set("seen/" + event["key"] + "/" + event["version"], {"event": event, "key": ctx.idempotency_key})
`,
  },
};
const WRITER = `
import { kv } from "enoki";
export async function call(key) {
  await kv.keygroup("readings").set(key, "by a function");
}
`;
/** Writes what it listens to. */
const LOOP = `
import { kv } from "enoki";
export async function call() {
  await kv.increment("turns/" + Math.random());
}
`;

let running: RunningNode;

const readings = () => running.client.kv("readings");

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  const { keygroups } = running.client;
  await keygroups.create("readings");
  for (const name of [...Object.keys(WATCHERS), "watch-program", "broken"]) {
    await keygroups.grant("readings", `function:${name}`, ["triggers"]);
  }
  await keygroups.grant("readings", "function:writer", ["write"]);
  for (const [name, files] of Object.entries(WATCHERS)) {
    await deployFiles(running, name, files, { triggers: [{ on: "keygroup:readings/temp/" }] });
  }
  await deployFiles(running, "writer", { "index.mjs": WRITER });
});
afterAll(() => running?.remove());

interface Seen {
  readonly event: Readonly<Record<string, unknown>>;
  readonly key: string;
}

const seenBy = (name: string, key: string, version: string) =>
  until(`${name} has seen ${key}`, async () => {
    return (await running.client.kv(name).get(`seen/${key}/${version}`)) as Seen | undefined;
  });

test.each(Object.keys(WATCHERS))("%s gets every write over HTTP, and deletions", async (name) => {
  const first = await readings().set("temp/http", { celsius: 20 });
  const second = await readings().set("temp/http", "21");
  const { event, key } = await seenBy(name, "temp/http", second);
  expect(event).toEqual({
    source: "keygroup",
    keygroup: "readings",
    key: "temp/http",
    value: "21",
    old: { celsius: 20 },
    deleted: false,
    version: second,
    node: "test",
    at: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(key).toMatch(/^[\w-]{32}$/);
  const before = await seenBy(name, "temp/http", first);
  expect(before.key).not.toBe(key);
  await readings().delete("temp/http");
  await until("the deletion is seen", async () => {
    for await (const [, seen] of running.client.kv(name).scan({ prefix: "seen/temp/http/" })) {
      if ((seen as Seen).event["deleted"] === true) return true;
    }
    return false;
  });
});

test("and what functions write, once, however often it is tried", async () => {
  await send(running.functionsUrl, "/writer", { body: "temp/function" });
  const entry = await readings().entry("temp/function");
  const { event } = await seenBy("watch-node", "temp/function", entry?.version ?? "");
  expect(event).toMatchObject({ value: "by a function" });
  const version = await readings().set("temp/twice", "twice");
  const { key } = await seenBy("watch-node", "temp/twice", version);
  expect(await running.client.kv("watch-node").get(`tries/${key}`)).toBe(2);
});

test("a program gets the event on its input", async () => {
  const triggers = [{ on: "keygroup:readings/program/" }];
  await deployFiles(running, "watch-program", { "fn.sh": "#!/bin/sh\ncat >&2\n" }, { triggers });
  await readings().set("program/1", "21");
  const line = await until("it has told so", async () => {
    for await (const { text } of running.client.functions.logs("watch-program")) {
      if (text.startsWith("{")) return text;
    }
    return undefined;
  });
  expect(JSON.parse(line)).toMatchObject({ key: "program/1", value: "21" });
});

test("a function that writes what it listens to ends as a dead letter that says so", async () => {
  await deployFiles(
    running,
    "loop",
    { "index.mjs": LOOP },
    { triggers: [{ on: "keygroup:loop" }] },
  );
  await running.client.kv("loop").set("begin", "1");
  const dead = await until("it has ended", async () => {
    const [letter] = await running.client.invocations.list({ function: "loop", state: "dead" });
    return letter;
  });
  expect(dead).toMatchObject({
    tries: 0,
    lastError: { code: "ENOKI_TRIGGER_LOOP", message: expect.stringContaining("16 calls") },
  });
  const turns = [];
  for await (const key of running.client.kv("loop").keys({ prefix: "turns/" })) turns.push(key);
  expect(turns).toHaveLength(16);
});

test("a function that fails, or is gone, is nothing to the writes", async () => {
  const files = { "index.mjs": "export function call() { throw new Error('broken'); }" };
  await deployFiles(running, "broken", files, { triggers: [{ on: "keygroup:readings/b/" }] });
  const beganMs = performance.now();
  await readings().set("b/1", "1");
  expect(performance.now() - beganMs).toBeLessThan(1000);
  const dead = await until("it is a dead letter", async () => {
    const [letter] = await running.client.invocations.list({ function: "broken", state: "dead" });
    return letter;
  });
  expect(dead).toMatchObject({ tries: 5, lastError: { code: "ENOKI_FUNCTION_ERROR" } });
  await running.client.functions.remove("broken");
  await readings().set("b/1", "2");
  expect(await readings().get("b/1")).toBe("2");
}, 60_000);

test("a right that is taken away ends it at once", async () => {
  const { keygroups } = running.client;
  await keygroups.revoke("readings", "function:watch-node");
  const unseen = await readings().set("temp/right", "unseen");
  await keygroups.grant("readings", "function:watch-node", ["triggers"]);
  const version = await readings().set("temp/right", "seen");
  await seenBy("watch-node", "temp/right", version);
  expect(await running.client.kv("watch-node").exists(`seen/temp/right/${unseen}`)).toBe(false);
});

test("whatever was committed before a kill -9 at any moment is told after it", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "enoki-trigger-kill-"));
  const flags = ["--isolation", "process"];
  let node: NodeProgram = await startProgram(dataDir, flags);
  try {
    const { client } = node;
    await client.keygroups.create("readings");
    await client.keygroups.grant("readings", "function:watch-node", ["triggers"]);
    const archive = zipFiles(WATCHERS["watch-node"] as Record<string, string>);
    const triggers = [{ on: "keygroup:readings" }];
    await client.functions.deploy("watch-node", archive, { triggers, maxInstances: 1 });
    const random = createPrng(20_261_126);
    for (let round = 0; round < 4; round++) {
      const killAfter = 1 + random.below(30);
      let acknowledged = 0;
      const killed = new Promise<void>((resolve) => {
        const data = node.client.kv("readings");
        const writing = Array.from({ length: 40 }, async (_, n) => {
          await data.set(`${round}/${n}`, "1").catch(() => undefined);
          acknowledged += 1;
          if (acknowledged === killAfter) resolve();
        });
        void Promise.all(writing);
      });
      await killed;
      await node.end("SIGKILL");
      node = await startProgram(dataDir, flags);
    }
    const committed: string[] = [];
    for await (const key of node.client.kv("readings").keys()) committed.push(key);
    expect(committed.length).toBeGreaterThan(4);
    await until("all are seen", async () => {
      const seen = new Set<string>();
      for await (const key of node.client.kv("watch-node").keys({ prefix: "seen/" })) {
        seen.add(key.split("/").slice(1, 3).join("/"));
      }
      return committed.every((key) => seen.has(key));
    });
  } finally {
    await node.end("SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  }
}, 120_000);
