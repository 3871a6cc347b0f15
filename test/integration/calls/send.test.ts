import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { CALLERS, type Called } from "./functions.js";

/** Keeps what comes, in the order in which it came; fails at first if it is to. */
const KEEPER = `
import { kv } from "enoki";
export async function call(input, ctx) {
  const tries = await kv.increment("tries/" + ctx.invocationId);
  if (tries <= (input.failures ?? 0)) throw new Error("not yet");
  if (input.sleepMs) await new Promise((resolve) => setTimeout(resolve, input.sleepMs));
  await kv.update("kept", (kept) => [...(kept ?? []), input.n]);
  await kv.set("seen/" + input.n, { headers: ctx.headers, key: ctx.idempotencyKey, id: ctx.invocationId });
}
`;
/** Sends itself on, once too often. */
const LOOP = `
import { kv, send } from "enoki";
export async function call(i, ctx) {
  await kv.increment("rounds");
  try { await send("loop", i); } catch (error) { await kv.set("end", error.code); }
}
`;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "keeper", { "index.mjs": KEEPER });
  for (const [name, files] of Object.entries(CALLERS)) await deployFiles(running, name, files);
});
afterAll(() => running?.remove());

async function sendBy(
  caller: string,
  data: unknown,
  { headers = {}, name = "keeper", ...options }: Record<string, unknown> = {},
): Promise<Called> {
  const answer = await send(running.functionsUrl, `/${caller}`, {
    body: JSON.stringify({ verb: "send", name, data, options }),
    headers: { "content-type": "application/json", ...(headers as object) },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Called;
}

const keeper = () => running.client.kv("keeper");
const kept = async (): Promise<readonly unknown[]> =>
  ((await keeper().get("kept")) as unknown[] | undefined) ?? [];
const isKept = (n: unknown) => until(`${n} is kept`, async () => (await kept()).includes(n));

describe.each(Object.keys(CALLERS))("what %s sends", (caller) => {
  test("is called for later, with the id that it was told", async () => {
    const id = (await sendBy(caller, { n: caller })).result as string;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    await isKept(caller);
    const seen = await until("it is noted", () => keeper().get(`seen/${caller}`));
    expect(seen).toMatchObject({ id, key: id });
    await until("it has ended", async () => {
      const { status } = await send(running.functionsUrl, `/_enoki/invocations/${id}`);
      return status === 200;
    });
    expect(await running.client.invocations.get(id)).toMatchObject({
      function: "keeper",
      state: "done",
    });
  });

  test("with one idempotency key is one thing", async () => {
    const options = { idempotencyKey: `key-${caller}` };
    const first = await sendBy(caller, { n: `${caller}/one` }, options);
    expect(await sendBy(caller, { n: `${caller}/two` }, options)).toEqual(first);
    await isKept(`${caller}/one`);
    expect(await kept()).not.toContain(`${caller}/two`);
  });

  test("to nobody is refused, and so is what is malformed", async () => {
    expect(await sendBy(caller, 1, { name: "nobody" })).toMatchObject({
      code: "ENOKI_FUNCTION_NOT_FOUND",
      message: 'no node that is known here runs "nobody", to send to it',
    });
    expect(await sendBy(caller, 1, { orderKey: "k".repeat(257) })).toMatchObject({
      code: "ENOKI_INVALID_INPUT",
    });
  });
});

test("what is sent with one order key is handled in that order, also when one fails at first", async () => {
  for (let n = 0; n < 8; n++) {
    const slow = n % 3 === 0 ? { sleepMs: 30 } : {};
    const failing = n === 2 ? { failures: 2 } : {};
    await sendBy("node", { n, ...slow, ...failing }, { orderKey: "a" });
  }
  await isKept(7);
  expect((await kept()).filter((n) => typeof n === "number")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("the order holds over a restart of the node", async () => {
  await keeper().set("kept", []);
  for (let n = 10; n < 20; n++) await sendBy("node", { n, sleepMs: 40 }, { orderKey: "b" });
  running = await running.restart();
  await isKept(19);
  const order = (await kept()).filter((n, at, all) => all.indexOf(n) === at);
  expect(order).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
});

test("what is sent belongs to its sender's trace", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await sendBy("node", { n: "traced" }, { headers: { traceparent } });
  const seen: unknown = await until("it is noted", () => keeper().get("seen/traced"));
  const { headers } = seen as { headers: Record<string, string> };
  expect(headers["traceparent"]).toBe(traceparent);
});

test("a function that sends to itself ends at the greatest depth", async () => {
  await deployFiles(running, "loop", { "index.mjs": LOOP });
  await send(running.functionsUrl, "/loop", { body: "go" });
  const end = await until("it ends", () => running.client.kv("loop").get("end"));
  expect(end).toBe("ENOKI_CALL_DEPTH");
  expect(await running.client.kv("loop").get("rounds")).toBe(17);
});
