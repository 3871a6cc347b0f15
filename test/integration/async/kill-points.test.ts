import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";

/** Where the node is killed, as an invocation sees it; in each round so many are at each of them. */
const POINTS = ["dequeued", "written", "committed", "returning", "acknowledged"] as const;
const AT_EACH_POINT = 10;
const ROUNDS = 5;

/**
 * Counts with and without a once key, and sends on; the first time it waits where it is told. A file
 * says that it waits, and another one lets it return.
 */
const WORKER = `
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { kv } from "enoki";
export async function call({ point, name, dir }, ctx) {
  const held = dir + "/held-" + name;
  const isFirst = !existsSync(held);
  const hold = async (at) => {
    if (at !== point || !isFirst) return;
    writeFileSync(held, "");
    while (!(at === "returning" && existsSync(dir + "/return"))) await delay(5);
  };
  await hold("dequeued");
  await kv.increment("plain");
  await hold("written");
  const key = ctx.idempotencyKey;
  const { repeated } = await kv.batch().increment("exact").send("sink", name).once(key).commit();
  await hold("committed");
  await hold("returning");
  return { repeated };
}
`;
const SINK = `
import { kv } from "enoki";
export async function call(name, ctx) {
  await kv.batch().increment("exact").once(ctx.idempotencyKey).commit();
}
`;
const SENDER = `
import * as enoki from "enoki";
export const call = (all) => Promise.all(all.map((one) => enoki.send("worker", one)));
`;

let dataDir: string | undefined;
let node: NodeProgram | undefined;

afterEach(async () => {
  await node?.end("SIGKILL");
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
});

async function isOver({ functionsUrl }: NodeProgram, id: string): Promise<boolean> {
  return (await send(functionsUrl, `/_enoki/invocations/${id}`)).status !== 202;
}

test("a kill -9 at any point of an invocation repeats what has no once key, and nothing that has", async () => {
  dataDir = await mkdtemp(join(tmpdir(), "enoki-kill-points-"));
  const flags = ["--isolation", "process"];
  node = await startProgram(dataDir, flags);
  const options = { concurrency: 64, maxInstances: 1 };
  await node.client.functions.deploy("worker", zipFiles({ "index.mjs": WORKER }), options);
  await node.client.functions.deploy("sink", zipFiles({ "index.mjs": SINK }), options);
  await node.client.functions.deploy("sender", zipFiles({ "index.mjs": SENDER }), options);

  const ids: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const dir = join(dataDir, `round-${round}`);
    await mkdir(dir);
    const orders = POINTS.flatMap((point) =>
      Array.from({ length: AT_EACH_POINT }, (_, n) => ({ point, name: `${point}-${n}`, dir })),
    );
    const body = JSON.stringify(orders);
    const headers = { "content-type": "application/json" };
    const sent = await send(node.functionsUrl, "/sender", { body, headers });
    const sentIds = JSON.parse(sent.text) as string[];
    ids.push(...sentIds);
    const acknowledged = sentIds.filter((_, at) => orders[at]?.point === "acknowledged");
    const running = node;
    await until("those that end have ended, and are known to have", async () => {
      return (await Promise.all(acknowledged.map((id) => isOver(running, id)))).every(Boolean);
    });
    await until("the others are where they are to be", async () => {
      return (await readdir(dir)).length === orders.length - acknowledged.length;
    });
    // What returns now reaches a node that will never read it.
    running.child.kill("SIGSTOP");
    await writeFile(join(dir, "return"), "");
    expect(await running.end("SIGKILL")).toBe("SIGKILL");
    node = await startProgram(dataDir, flags);
  }

  const last = node;
  await until("everything has ended", async () => {
    const over = await Promise.all(ids.map((id) => isOver(last, id)));
    return over.every(Boolean);
  });
  const total = ROUNDS * POINTS.length * AT_EACH_POINT;
  expect(ids).toHaveLength(total);
  const worker = node.client.kv("worker");
  expect(await worker.get("exact")).toBe(total);
  // Those that had written, committed or returned have written once more.
  expect(await worker.get("plain")).toBe(total + 3 * ROUNDS * AT_EACH_POINT);
  await until("what was sent on has arrived, once", async () => {
    return (await last.client.kv("sink").get("exact")) === total;
  });
  for (const state of ["dead", "queued", "running"] as const) {
    expect(await node.client.invocations.list({ state })).toEqual([]);
  }
}, 180_000);
