import { afterEach, expect, test } from "vitest";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createPrng } from "../../../src/base/prng.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";

const FUNCTION = `
import { kv } from "enoki";
export async function call(i, ctx) {
  await new Promise((r) => setTimeout(r, 15));
  await kv.batch().set("key/" + i, ctx.idempotencyKey).increment("effects").once(ctx.idempotencyKey).commit();
  return "done " + i;
}
`;
const CALLS = 40;
const ROUNDS = 6;

let dataDir: string | undefined;
let node: NodeProgram | undefined;

afterEach(async () => {
  await node?.end("SIGKILL");
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
});

const post = (i: number) =>
  send((node as NodeProgram).functionsUrl, "/note", {
    method: "POST",
    body: String(i),
    headers: { prefer: "respond-async", "content-type": "text/plain", "idempotency-key": `k${i}` },
  });

test("whatever was accepted is done after a kill -9 at any moment, its effect once", async () => {
  dataDir = await mkdtemp(join(tmpdir(), "enoki-kill-"));
  const flags = ["--isolation", "process"];
  node = await startProgram(dataDir, flags);
  const archive = zipFiles({ "index.mjs": FUNCTION });
  await node.client.functions.deploy("note", archive, { concurrency: 4, maxInstances: 1 });

  /** Number of the call → where its result will be. */
  const accepted = new Map<number, string>();
  const random = createPrng(20_260_101);
  let next = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const killAfter = 1 + random.below(CALLS);
    const pauseMs = random.below(40);
    let answered = 0;
    let reached = (): void => {};
    const isReached = new Promise<void>((resolve) => (reached = resolve));
    const sending = Array.from({ length: CALLS }, async () => {
      const i = next++;
      const answer = await post(i).catch(() => undefined);
      if (answer?.status !== 202) return;
      accepted.set(i, answer.headers["location"] as string);
      answered += 1;
      if (answered === killAfter) reached();
    });
    await Promise.race([isReached, Promise.all(sending)]);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    expect(await node.end("SIGKILL")).toBe("SIGKILL");
    await Promise.all(sending);
    node = await startProgram(dataDir, flags);
  }
  expect(accepted.size).toBeGreaterThan(ROUNDS);

  for (const [i, location] of accepted) {
    const { functionsUrl } = node;
    const done = await until(`call ${i} is done`, async () => {
      const answer = await send(functionsUrl, location);
      return answer.status !== 202 && answer;
    });
    expect(done).toMatchObject({ status: 200, text: `done ${i}` });
    // The same key still means the same invocation.
    if (i % 10 === 0) expect((await post(i)).headers["location"]).toBe(location);
  }
  await until("everything is done", async () => {
    const { invocations } = (node as NodeProgram).client;
    const [queued, running] = await Promise.all([
      invocations.list({ state: "queued" }),
      invocations.list({ state: "running" }),
    ]);
    return queued.length + running.length === 0;
  });
  const notes = node.client.kv("note");
  const keys: string[] = [];
  for await (const key of notes.keys({ prefix: "key/" })) keys.push(key);
  for (const i of accepted.keys()) expect(keys).toContain(`key/${i}`);
  expect(await notes.get("effects")).toBe(keys.length);
  expect(await node.client.invocations.list({ state: "dead" })).toEqual([]);
});
