import { Agent } from "node:http";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

import { zipFiles, send, until } from "../../helpers/node-calls.js";
import { leftAfter, Nursery, type ChildNode } from "./child-node.js";

const nursery = new Nursery();
afterEach(() => nursery.remove());

/** Says in its keygroup that it runs, then answers after so many milliseconds; `never` = not at all. */
const SLOW = `
import { kv } from "enoki";
export async function call(input) {
  await kv.set("begun", input);
  await new Promise((resolve) => input === "never" || setTimeout(resolve, Number(input)));
  await kv.set("ended", input);
  return "done after " + input;
}`;
const SPIN = `
import kv
def call(i):
    kv.set("begun", i)
    while True: pass
`;
/** More than the drain time in these tests, less than the default of ten seconds. */
const SOON_MS = 5_000;

describe("SIGTERM", () => {
  it("lets a running call end well, refuses new ones, and ends with exit code 0", async () => {
    const node = await startWith({ "index.mjs": SLOW });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await send(node.functionsUrl, "/nothing", { agent });
    const slow = send(node.functionsUrl, "/fn", { body: "1500" });
    await hasBegun(node);
    const family = node.family();
    node.process.kill("SIGTERM");
    const refusal = await until("new calls are refused", async () => {
      const answer = await send(node.functionsUrl, "/fn", { body: "0" }).catch(codeOf);
      return typeof answer === "string" ? answer : answer.status === 503 && "503";
    });
    expect(["ECONNREFUSED", "ECONNRESET", "503"]).toContain(refusal);
    const { status, text } = await slow;
    expect([status, text]).toEqual([200, "done after 1500"]);
    const { code } = await node.ended;
    agent.destroy();
    expect(code).toBe(0);
    expect(await leftAfter(family, 0)).toEqual([]);
  });

  it("lets a running call go on calling other functions", async () => {
    const node = await startWith({ "index.mjs": SLOW });
    const outer = `import { kv, call as of } from "enoki";
export async function call(i) {
  await kv.set("begun", i);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return of("fn", "1");
}`;
    await node.client.functions.deploy("outer", zipFiles({ "index.mjs": outer }));
    const running = send(node.functionsUrl, "/outer", { body: "x" });
    await until("it runs", async () => (await node.client.kv("outer").get("begun")) !== undefined);
    const { code } = await node.end("SIGTERM");
    expect(code).toBe(0);
    expect(await running).toMatchObject({ status: 200, text: "done after 1" });
  });

  it("keeps what a call wrote while the node was draining", async () => {
    const node = await startWith({ "index.mjs": SLOW });
    const slow = send(node.functionsUrl, "/fn", { body: "500" });
    await hasBegun(node);
    await node.end("SIGTERM");
    expect((await slow).status).toBe(200);
    const next = await nursery.start(node.ready.dataDir);
    expect(await next.client.kv("fn").get("ended")).toBe("500");
  });

  it.each([
    ["an awaiting handler", { "index.mjs": SLOW }],
    ["an endless loop", { "fn.py": SPIN }],
  ])("gives %s no more than --drain-timeout", async (_, files) => {
    const node = await startWith(files, ["--drain-timeout", "300ms"]);
    const stuck = send(node.functionsUrl, "/fn", { body: "never" }).catch(codeOf);
    await hasBegun(node);
    const family = node.family();
    const begunMs = performance.now();
    const { code } = await node.end("SIGTERM");
    expect(code).toBe(0);
    expect(performance.now() - begunMs).toBeLessThan(SOON_MS);
    expect(await leftAfter(family, 0)).toEqual([]);
    const answer = await stuck;
    if (typeof answer !== "string") expect([502, 503]).toContain(answer.status);
  });

  it("waits neither for idle connections nor for streams that nobody ends", async () => {
    const node = await startWith({ "index.mjs": SLOW });
    const agent = new Agent({ keepAlive: true });
    await send(node.functionsUrl, "/fn", { body: "0", agent });
    await send(node.adminUrl, "/v1/node", { agent });
    const controller = new AbortController();
    const logs = await fetch(`${node.adminUrl}/v1/functions/fn/logs?follow=true`, {
      signal: controller.signal,
    });
    expect(logs.status).toBe(200);
    const begunMs = performance.now();
    const { code } = await node.end("SIGTERM");
    expect(performance.now() - begunMs).toBeLessThan(SOON_MS);
    expect(code).toBe(0);
    agent.destroy();
    controller.abort();
  });

  it("leaves no process, no sockets and no scratch", async () => {
    const node = await startWith({ "index.mjs": SLOW });
    await send(node.functionsUrl, "/fn", { body: "0" });
    const family = node.family();
    expect(family.length).toBeGreaterThan(1);
    await node.end("SIGTERM");
    expect(await leftAfter(family, 0)).toEqual([]);
    expect(existsSync(join(node.ready.dataDir, "run"))).toBe(false);
    expect(await readdir(join(node.ready.dataDir, "scratch"))).toEqual([]);
  });

  it("is taken as well as SIGINT, which ends an idle node within a second", async () => {
    const node = await nursery.start(await nursery.dir());
    const begunMs = performance.now();
    const { code } = await node.end("SIGINT");
    expect(code).toBe(0);
    expect(performance.now() - begunMs).toBeLessThan(1000);
  });
});

describe("a second signal", () => {
  it("ends a draining node at once, and nothing of it is left", async () => {
    const node = await startWith({ "fn.py": SPIN }, ["--drain-timeout", "10m"]);
    const stuck = send(node.functionsUrl, "/fn", { body: "x" }).catch(codeOf);
    await hasBegun(node);
    const family = node.family();
    node.process.kill("SIGTERM");
    await until("the node drains", () =>
      send(node.functionsUrl, "/fn", { body: "0" }).then(({ status }) => status === 503, codeOf),
    );
    const begunMs = performance.now();
    const { code } = await node.end("SIGTERM");
    expect(performance.now() - begunMs).toBeLessThan(SOON_MS);
    expect(code).toBeGreaterThanOrEqual(128);
    expect(await leftAfter(family, SOON_MS)).toEqual([]);
    await stuck;
  });
});

async function startWith(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<ChildNode> {
  const node = await nursery.start(await nursery.dir(), {
    args: ["--isolation", "process", ...args],
  });
  await node.client.functions.deploy("fn", zipFiles(files));
  return node;
}

async function hasBegun(node: ChildNode): Promise<void> {
  await until("the call runs", async () => (await node.client.kv("fn").get("begun")) !== undefined);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
