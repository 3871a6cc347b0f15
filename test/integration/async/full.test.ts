import { expect, onTestFinished, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { deployFiles, problemOf, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode } from "../../helpers/running-node.js";

/** Waits for the key `gate`, so that what was accepted goes on waiting. */
const HELD = `
import { kv } from "enoki";
export async function call() {
  while (!(await kv.exists("gate"))) await new Promise((r) => setTimeout(r, 50));
}
`;

test("a function with 100,000 invocations waiting takes no more, by call or by send, until one has ended", async () => {
  const running = await startNode(PROCESS_ISOLATION);
  onTestFinished(() => running.remove());
  await deployFiles(running, "held", { "index.mjs": HELD }, { timeout: "10m" });
  await deployFiles(running, "other", { "index.mjs": "export const call = () => 'well';" });
  const post = (name: string, headers: Record<string, string> = {}) =>
    send(running.functionsUrl, `/${name}`, {
      body: "x",
      headers: { prefer: "respond-async", ...headers },
    });
  const sendMany = (count: number) => {
    const batch = running.client.kv("held").batch();
    for (let i = 0; i < count; i++) batch.send("held", i);
    return batch;
  };

  expect(LIMITS.outboxLengthMax).toBe(100_000);
  const first = await post("held", { "idempotency-key": "first" });
  expect(first.status).toBe(202);
  for (let sent = 1000; sent < LIMITS.outboxLengthMax; sent += 1000) await sendMany(1000).commit();
  await sendMany(998).commit();
  // One place is left: a batch that needs two is refused as a whole, and one call takes it.
  await expect(sendMany(2).set("beside", 1).commit()).rejects.toMatchObject({
    code: "ENOKI_OUTBOX_FULL",
  });
  expect(await running.client.kv("held").exists("beside")).toBe(false);
  expect((await post("held")).status).toBe(202);

  const refused = await post("held");
  expect(problemOf(refused)).toMatchObject({ status: 503, code: "ENOKI_OUTBOX_FULL" });
  expect(refused.headers["retry-after"]).toBeDefined();
  await expect(sendMany(1).commit()).rejects.toMatchObject({ code: "ENOKI_OUTBOX_FULL" });
  // The repeat of an accepted one needs no place, and other functions have their own.
  const repeat = await post("held", { "idempotency-key": "first" });
  expect(repeat.headers["location"]).toBe(first.headers["location"]);
  expect((await post("other")).status).toBe(202);

  await running.client.kv("held").set("gate", 1);
  await until("there is room again", async () => (await post("held")).status === 202);
});
