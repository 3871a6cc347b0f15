import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, send } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

/** Counts its calls; with a path it runs until that file is there, and with `die` it ends. */
const COUNTING = `
import os, time
import kv
def call(path: str) -> str:
    kv.increment("calls")
    if path == "die":
        os._exit(3)
    while path and not os.path.exists(path):
        time.sleep(0.001)
    return path
`;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "counting", { "fn.py": COUNTING }, { maxInstances: 2 });
});
afterAll(() => running?.remove());

async function statusOf(name: string, body: string): Promise<number> {
  return (await send(running.functionsUrl, `/${name}`, { body })).status;
}

/** Many quick calls at once, of which all succeed. */
async function flood(name: string, count: number): Promise<void> {
  const statuses = await Promise.all(Array.from({ length: count }, () => statusOf(name, "")));
  expect(new Set(statuses)).toEqual(new Set([200]));
}

describe("a plain Python function under load", () => {
  test("runs each call once, and none waits behind one that takes long", async () => {
    await flood("counting", 200);
    const path = join(running.dataDir, "go-on");
    const slow = statusOf("counting", path);
    await flood("counting", 200);
    await writeFile(path, "");
    expect(await slow).toBe(200);
    expect(await running.client.kv("counting").get("calls")).toBe(401);
  });

  test("loses only the call that ran when an instance dies", async () => {
    await flood("counting", 100);
    const dying = statusOf("counting", "die");
    await flood("counting", 100);
    expect(await dying).toBe(502);
    expect(await running.client.kv("counting").get("calls")).toBe(602);
  });
});
