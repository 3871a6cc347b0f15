import { afterAll, beforeAll, expect, test } from "vitest";

import { runEnoki, type CliRun } from "../../helpers/cli-program.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
});
afterAll(() => running?.remove());

const enoki = (args: readonly string[], stdin?: string): Promise<CliRun> =>
  runEnoki(args, { env: { ENOKI_NODE: running.adminUrl }, ...(stdin !== undefined && { stdin }) });

test("what `kv export` prints `kv import` takes: every type, and the expiry", async () => {
  const { client } = running;
  for (const name of ["from", "into"]) await client.keygroups.create(name);
  const kv = client.kv("from");
  await kv.set("text", "grüße\n");
  await kv.set("bytes", Uint8Array.of(0, 255, 10));
  await kv.set("json", { list: [1, 2.5, null], "": "x" });
  await kv.set("brief", "gone in a day", { ttl: "1d" });
  await kv.counter("counter").add(2);
  await kv.setOf("set").add("member");
  await kv.map("map").set("field", [1]);
  await kv.map("map").add("count", 3);

  const exported = await enoki(["kv", "export", "from"]);
  expect(exported).toMatchObject({ code: 0, stderr: "" });
  const lines = exported.stdout.trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual([
    "brief",
    "bytes",
    "counter",
    "json",
    "map",
    "set",
    "text",
  ]);
  expect(await enoki(["kv", "import", "into"], exported.stdout)).toMatchObject({ code: 0 });
  expect((await enoki(["kv", "export", "into"])).stdout).toBe(exported.stdout);

  // They are what they were, not only what they looked like.
  const into = client.kv("into");
  expect(await into.get("bytes")).toEqual(Uint8Array.of(0, 255, 10));
  expect(await into.counter("counter").add(1)).toBe(3);
  expect(await into.setOf("set").value()).toEqual(["member"]);
  expect(await into.map("map").add("count", 1)).toBe(4);
  const [from, copy] = [await kv.entry("brief"), await into.entry("brief")];
  expect(copy?.expiresAt).toEqual(from?.expiresAt);
});
