import { afterEach, describe, expect, it } from "vitest";

import { deployFiles, send, until, zipFiles } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { Nursery } from "./child-node.js";

const nursery = new Nursery();
let running: RunningNode | undefined;
afterEach(async () => {
  await running?.remove();
  running = undefined;
  await nursery.remove();
});

/** Counts its calls under the key that it is given, and fails as often as the text says. */
const FUNCTION = `
import { kv } from "enoki";
export async function call(input, ctx) {
  const [key, failures] = String(input).split(":");
  const calls = await kv.increment(key);
  if (calls <= Number(failures)) throw new Error("not yet");
  return "call " + calls;
}`;

async function start(): Promise<RunningNode> {
  running = await startNode(PROCESS_ISOLATION);
  return running;
}

async function restart(node: RunningNode): Promise<RunningNode> {
  running = await node.restart();
  return running;
}

describe("a restart", () => {
  it("keeps functions with their revisions and settings, and starts instances with the first call only", async () => {
    const node = await start();
    const version = (text: string) => ({ "index.mjs": `export const call = () => "${text}";` });
    await deployFiles(node, "fn", version("one"), { timeout: "7s", env: { A: "b" } });
    await deployFiles(node, "fn", version("two"));
    await node.client.functions.rollback("fn");
    const before = await node.client.functions.get("fn");
    const revisions = await node.client.functions.revisions("fn");

    const again = await restart(node);
    const after = await again.client.functions.get("fn");
    expect({ ...after, url: "", status: {} }).toEqual({ ...before, url: "", status: {} });
    expect(after.config).toMatchObject({ timeout: "7s", env: { A: "b" } });
    expect(await again.client.functions.revisions("fn")).toEqual(revisions);
    expect(after.status).toMatchObject({ instances: 0, coldStartsTotal: 0 });

    expect((await again.client.call("fn")).text()).toBe("one");
    expect((await again.client.functions.get("fn")).status).toMatchObject({
      instances: 1,
      coldStartsTotal: 1,
    });
    expect((await again.client.functions.rollback("fn", 2)).revision).toBe(4);
    expect((await again.client.call("fn")).text()).toBe("two");
  });

  it("forgets a removed function", async () => {
    const node = await start();
    await deployFiles(node, "fn", { "index.mjs": `export const call = () => "x";` });
    await node.client.functions.remove("fn", { data: "delete" });
    const again = await restart(node);
    expect(await again.client.functions.list()).toEqual([]);
    expect(await again.client.keygroups.list()).toEqual([]);
  });

  it("keeps keygroups with their settings, values, types, versions and expiry", async () => {
    const node = await start();
    await node.client.keygroups.create("kg", {
      policy: "siblings",
      durability: "strict",
      ttl: "5h",
    });
    await node.client.keygroups.configure("kg", { ttl: "6h" });
    const kv = node.client.kv("kg");
    await kv.set("text", "é");
    await kv.set("bytes", Uint8Array.of(0, 255));
    await kv.set("json", { a: [1, null] }, { ttl: "2h" });
    await kv.set("gone", "x");
    await kv.delete("gone");
    await kv.increment("counter", 3);
    await kv.map("map").set("field", 1);
    const keys = ["text", "bytes", "json", "counter", "map", "gone"];
    const before = await Promise.all(keys.map((key) => kv.entry(key)));
    const { policy, durability, ttl } = await node.client.keygroups.get("kg");
    expect([policy, durability, ttl]).toEqual(["siblings", "strict", "6h"]);

    const again = await restart(node);
    expect(await again.client.keygroups.get("kg")).toMatchObject({ policy, durability, ttl });
    const next = again.client.kv("kg");
    expect(await Promise.all(keys.map((key) => next.entry(key)))).toEqual(before);
    expect(before.at(-1)).toBeUndefined();
    // A node that resumes goes on counting where it stopped.
    await next.increment("counter", 4);
    expect(await next.get("counter")).toBe(7);
    const { version } = (await next.entry("text")) ?? { version: "" };
    expect(await next.set("text", "new", { ifVersion: version })).not.toBe(version);
  });

  it("delivers invocations that were queued, with the same id and idempotency key", async () => {
    const node = await start();
    const gate = `
      import { kv } from "enoki";
      export async function call(input, ctx) {
        if ((await kv.increment("tries/" + input)) <= 3) throw new Error("not yet");
        return ctx.idempotencyKey;
      }`;
    await deployFiles(node, "fn", { "index.mjs": gate });
    const [plain, keyed] = await Promise.all([
      node.client.send("fn", "a"),
      node.client.send("fn", "b", { idempotencyKey: "once" }),
    ]);
    await until("both have been tried in vain", async () => {
      const sent = await node.client.invocations.list({ function: "fn" });
      return sent.length === 2 && sent.every(({ tries }) => tries >= 1);
    });

    const again = await restart(node);
    expect((await again.client.result(plain.id, { wait: "20s" }))?.text()).toBe(plain.id);
    expect((await again.client.result(keyed.id, { wait: "20s" }))?.text()).toBe("once");
    const repeated = await again.client.send("fn", "b", { idempotencyKey: "once" });
    expect(repeated.id).toBe(keyed.id);
  });

  it("does not let a drain cost an invocation that waits for an instance anything", async () => {
    const node = await start();
    const slow = `
      import { kv } from "enoki";
      export async function call(input) {
        await kv.increment("calls");
        await new Promise((resolve) => setTimeout(resolve, 200));
        return input;
      }`;
    await deployFiles(node, "fn", { "index.mjs": slow }, { maxInstances: 1, concurrency: 1 });
    const sent = [];
    for (let number = 0; number < 10; number++)
      sent.push(await node.client.send("fn", `${number}`));
    await until("one runs", async () => (await node.client.kv("fn").get("calls")) !== undefined);

    const again = await restart(node);
    expect(await again.client.invocations.list({ state: "dead" })).toEqual([]);
    for (const [number, { id }] of sent.entries()) {
      expect((await again.client.result(id, { wait: "20s" }))?.text()).toBe(`${number}`);
    }
    // Each ran once: what the drain cut off had not begun.
    expect(await again.client.kv("fn").get("calls")).toBe(10);
  });

  it("keeps results, and dead letters until they are replayed", async () => {
    const node = await start();
    await deployFiles(node, "fn", { "index.mjs": FUNCTION });
    const done = await node.client.send("fn", "done:0", { idempotencyKey: "k" });
    const dead = await node.client.send("fn", "dead:5");
    await until("one is dead", async () => {
      return (await node.client.invocations.get(dead.id)).state === "dead";
    });
    expect((await node.client.result(done.id, { wait: "5s" }))?.text()).toBe("call 1");

    const again = await restart(node);
    expect((await again.client.result(done.id))?.text()).toBe("call 1");
    expect(await again.client.invocations.get(dead.id)).toMatchObject({ state: "dead", tries: 5 });
    await expect(again.client.result(dead.id)).rejects.toMatchObject({
      code: "ENOKI_FUNCTION_ERROR",
    });
    expect((await again.client.send("fn", "x", { idempotencyKey: "k" })).id).toBe(done.id);

    await again.client.invocations.replay(dead.id);
    expect((await again.client.result(dead.id, { wait: "20s" }))?.text()).toBe("call 6");
    const third = await restart(again);
    expect((await third.client.result(dead.id))?.text()).toBe("call 6");
    expect(await third.client.invocations.list({ state: "dead" })).toEqual([]);
  });
});

describe("an unclean stop", () => {
  it("keeps all that was acknowledged, and goes on under the same origin", async () => {
    const dataDir = await nursery.dir();
    const first = await nursery.start(dataDir, { args: ["--isolation", "process"] });
    await first.client.functions.deploy("fn", zipFiles({ "index.mjs": FUNCTION }));
    const kv = first.client.kv("fn");
    await kv.increment("counter", 2);
    const versions = [];
    for (let number = 0; number < 20; number++)
      versions.push(await kv.set(`key-${number}`, `${number}`));
    await first.end("SIGKILL");

    const second = await nursery.start(dataDir);
    const again = second.client.kv("fn");
    for (const [number, version] of versions.entries()) {
      expect(await again.entry(`key-${number}`)).toMatchObject({ value: `${number}`, version });
    }
    await again.increment("counter", 3);
    expect(await again.get("counter")).toBe(5);
    // Under the same run of the operating system nothing was lost, so the node stays who it was.
    const later = await again.set("later", "x");
    expect(originOf(later)).toMatch(/^\d/);
    expect(originOf(later)).toBe(originOf(versions[0]));
    expect((await send(second.functionsUrl, "/fn", { body: "x:0" })).text).toBe("call 1");
  });
});

/** Which run of which member made a version: all of `epoch.restart.counter` but the counter. */
function originOf(version: string | undefined): string | undefined {
  return /^(\d+\.\d+)\.\d+$/.exec(version ?? "")?.[1];
}
