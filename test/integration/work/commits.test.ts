import { afterEach, describe, expect, test } from "vitest";

import type { KeygroupName } from "../../../dist/core/ids.js";
import { TAG } from "../../../src/core/value.js";
import { deployFiles } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode | undefined;
afterEach(async () => {
  await running?.remove();
  running = undefined;
});

type Keygroup = ReturnType<RunningNode["node"]["keygroups"]["find"]>;

async function openKeygroup(
  durability: "relaxed" | "strict",
  syncIntervalMs = 20,
): Promise<{ keygroup: Keygroup; node: RunningNode }> {
  running = await startNode({ ...PROCESS_ISOLATION, syncIntervalMs });
  await running.client.keygroups.create("kg", { durability });
  return { keygroup: running.node.keygroups.find("kg" as KeygroupName), node: running };
}

function write(keygroup: Keygroup, key: string): Promise<unknown> {
  const value = { tag: TAG.str, bytes: Buffer.from("value") };
  return keygroup.write({ writes: [{ op: "set", key, value }] });
}

const counts = ({ work }: Keygroup): [commits: number, syncs: number] => [
  work.commitsTotal,
  work.syncsTotal,
];

describe("strict", () => {
  test("commits and syncs once per turn, however many write in it", async () => {
    const { keygroup } = await openKeygroup("strict");
    const [commits, syncs] = counts(keygroup);
    await Promise.all(Array.from({ length: 32 }, (_, i) => write(keygroup, `${i}`)));
    expect(counts(keygroup)).toEqual([commits + 1, syncs + 1]);
  });

  test("commits and syncs each write that nobody shares", async () => {
    const { keygroup } = await openKeygroup("strict");
    const [commits, syncs] = counts(keygroup);
    for (let i = 0; i < 20; i++) await write(keygroup, `${i}`);
    expect(counts(keygroup)).toEqual([commits + 20, syncs + 20]);
  });

  test("lets 32 writers over HTTP share syncs", async () => {
    const { keygroup, node } = await openKeygroup("strict");
    const kv = node.client.kv("kg");
    const [commits, syncs] = counts(keygroup);
    const writer = async (name: number): Promise<void> => {
      for (let i = 0; i < 20; i++) await kv.set(`${name}-${i}`, "value");
    };
    await Promise.all(Array.from({ length: 32 }, (_, name) => writer(name)));
    const [commitsAfter, syncsAfter] = counts(keygroup);
    expect(syncsAfter - syncs).toBeLessThanOrEqual(commitsAfter - commits);
    expect(commitsAfter - commits).toBeLessThan(640 / 2);
  });
});

describe("relaxed", () => {
  test("commits once per turn and syncs nothing before the interval is over", async () => {
    const { keygroup } = await openKeygroup("relaxed", 60_000);
    const [commits, syncs] = counts(keygroup);
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 32 }, (_, i) => write(keygroup, `${i}`)));
    }
    expect(counts(keygroup)).toEqual([commits + 10, syncs]);
  });

  test("syncs at most once per interval, and once more within it after the last write", async () => {
    const { keygroup } = await openKeygroup("relaxed", 20);
    const [, syncs] = counts(keygroup);
    const begunMs = performance.now();
    for (let i = 0; i < 300; i++) await write(keygroup, `${i}`);
    const intervals = Math.ceil((performance.now() - begunMs) / 20);
    expect(counts(keygroup)[1] - syncs).toBeLessThanOrEqual(intervals);
    const before = counts(keygroup)[1];
    await write(keygroup, "last");
    await expect.poll(() => counts(keygroup)[1], { interval: 1 }).toBeGreaterThan(before);
    // Nothing to write, nothing to sync.
    const idle = counts(keygroup);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(counts(keygroup)).toEqual(idle);
  });
});

test("a write over REST is one commit, and an asynchronous invocation two: accepted and ended", async () => {
  const { node, keygroup } = await openKeygroup("relaxed");
  const [commits] = counts(keygroup);
  for (let i = 0; i < 20; i++) await node.client.kv("kg").set("key", `${i}`);
  expect(counts(keygroup)[0]).toBe(commits + 20);

  await deployFiles(node, "fn", { "index.mjs": "export const call = () => 'x';" });
  const own = node.node.keygroups.find("fn" as KeygroupName);
  const [before] = counts(own);
  for (let i = 0; i < 5; i++) {
    const { id } = await node.client.send("fn", "x");
    await expect
      .poll(async () => (await node.client.result(id))?.text(), { interval: 5 })
      .toBe("x");
  }
  expect(counts(own)[0]).toBe(before + 10);
});
