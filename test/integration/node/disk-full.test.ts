import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { problemOf, send, until, zipFiles, type Answer } from "../../helpers/node-calls.js";
import { Nursery, type ChildNode } from "./child-node.js";

const obstacle = whyNoMount();
const DISK_BYTES = 24 * 1024 * 1024;
/** What is deleted to make space again. */
const BALLAST_BYTES = 8 * 1024 * 1024;

const PYTHON = `
import kv
def call(i):
    kv.set("written", i)
`;
const FUNCTION = `
import { kv } from "enoki";
export async function call(input, ctx) {
  if (ctx.method === "GET") return kv.get("kept");
  await kv.set("written", input);
  return "written";
}`;

describe.skipIf(obstacle)(
  `a node on a full disk${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    const nursery = new Nursery();
    let disk: string;
    let node: ChildNode;

    beforeAll(async () => {
      disk = await mkdtemp(join(tmpdir(), "enoki-disk-"));
      expect(mount(disk).status).toBe(0);
      writeFileSync(join(disk, "ballast"), Buffer.alloc(BALLAST_BYTES));
      node = await nursery.start(join(disk, "data"), { args: ["--isolation", "process"] });
      await node.client.functions.deploy("fn", zipFiles({ "index.mjs": FUNCTION }));
      await node.client.functions.deploy("py", zipFiles({ "fn.py": PYTHON }));
      await node.client.kv("fn").set("kept", "kept value");
      // One instance is warm, so that what fails from here on fails for want of space.
      expect((await send(node.functionsUrl, "/fn")).text).toBe("kept value");
      expect((await send(node.functionsUrl, "/py", { body: "x" })).status).toBe(200);
      await fill(node);
    });
    afterAll(async () => {
      await nursery.remove();
      // The guardian of a killed node holds its lock for a moment longer.
      await until("the disk is free", () => spawnSync("umount", [disk]).status === 0);
      await rmdir(disk);
    });

    it("refuses writes with 507 ENOKI_DISK_FULL, over REST, from a function and asynchronously", async () => {
      const body = "x".repeat(60_000);
      const headers = { prefer: "respond-async" };
      expectFull(await put(node, "more", body));
      expectFull(await send(node.functionsUrl, "/fn", { body }));
      expectFull(await send(node.functionsUrl, "/py", { body }));
      expectFull(await send(node.functionsUrl, "/fn", { body, headers }));
    });

    it("still reads, over REST and from a function, and is ready", async () => {
      expect(await node.client.kv("fn").get("kept")).toBe("kept value");
      expect((await send(node.functionsUrl, "/fn")).text).toBe("kept value");
      expect((await send(node.adminUrl, "/readyz")).status).toBe(200);
      const pairs = [];
      for await (const pair of node.client.kv("fn").scan({ prefix: "fill-", limit: 10 }))
        pairs.push(pair);
      expect(pairs).toHaveLength(10);
    });

    it("refuses a deploy clearly, and the revision before it serves", async () => {
      const code = `// ${"x".repeat(100_000)}\nexport const call = () => "new";`;
      const deployed = node.client.functions.deploy("fn", zipFiles({ "index.mjs": code }));
      await expect(deployed).rejects.toMatchObject({ code: "ENOKI_DISK_FULL", status: 507 });
      expect((await node.client.functions.get("fn")).revision).toBe(1);
      expect((await send(node.functionsUrl, "/fn")).text).toBe("kept value");
    });

    it("writes and deploys again once there is space, without a restart", async () => {
      rmSync(join(disk, "ballast"));
      expect((await put(node, "more", "x")).status).toBeLessThan(300);
      expect((await send(node.functionsUrl, "/fn", { body: "y" })).text).toBe("written");
      const { id } = await node.client.send("fn", "z");
      await until(
        "the invocation is delivered",
        async () => (await node.client.result(id)) !== undefined,
      );
      expect(await node.client.kv("fn").get("written")).toBe("z");
      const code = `export const call = () => "new";`;
      await node.client.functions.deploy("fn", zipFiles({ "index.mjs": code }));
      expect((await send(node.functionsUrl, "/fn")).text).toBe("new");
    });

    it("has lost nothing after a restart", async () => {
      const { code, signal, stderr } = await node.end("SIGTERM");
      expect([code, signal], stderr).toEqual([0, null]);
      const again = await nursery.start(join(disk, "data"));
      expect(await again.client.kv("fn").get("kept")).toBe("kept value");
      expect(await again.client.kv("fn").get("written")).toBe("z");
    });
  },
);

/** Writes values, smaller and smaller, until not even the smallest has room. */
async function fill(node: ChildNode): Promise<void> {
  let number = 0;
  for (const sizeBytes of [500_000, 50_000, 4_000, 100]) {
    for (;;) {
      const answer = await put(node, `fill-${number++}`, "x".repeat(sizeBytes));
      if (answer.status === 507) break;
      expect(answer.status, answer.text).toBeLessThan(300);
    }
  }
}

function put(node: ChildNode, key: string, body: string): Promise<Answer> {
  const headers = { "content-type": "text/plain" };
  return send(node.adminUrl, `/v1/keygroups/fn/keys/${key}`, { method: "PUT", headers, body });
}

function expectFull(answer: Answer): void {
  expect(answer.status, answer.text).toBe(507);
  expect(problemOf(answer)).toMatchObject({ code: "ENOKI_DISK_FULL" });
}

function whyNoMount(): string | undefined {
  if (process.platform !== "linux") return "a small disk is mounted on Linux only";
  if (process.getuid?.() !== 0) return "mounting a small disk needs root";
  return undefined;
}

function mount(point: string): ReturnType<typeof spawnSync> {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "enoki-test", point]);
}
