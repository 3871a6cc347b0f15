import { afterAll, beforeAll, expect, test } from "vitest";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startNode, type RunningNode } from "../helpers/running-node.js";

let running: RunningNode;
let folder: string;

beforeAll(async () => {
  running = await startNode();
  folder = await mkdtemp(join(tmpdir(), "enoki-smoke-"));
});
afterAll(async () => {
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
});

test("a function deployed over the admin port answers on the function port and keeps its state", async () => {
  await writeFile(
    join(folder, "index.ts"),
    `import { kv } from "enoki";
     export async function call(name: string) { return \`hello \${name} \${await kv.increment("calls")}\`; }`,
  );
  await running.client.functions.deploy("hello", folder);
  expect((await running.client.call("hello", "you")).text()).toBe("hello you 1");
  const again = await running.restart();
  running = again;
  expect((await again.client.call("hello", "you")).text()).toBe("hello you 2");
  expect(await again.client.kv("hello").get("calls")).toBe(2);
});
