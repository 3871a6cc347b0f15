// Why so long: every promise of asynchronous calls is tested on one node, whose start is dear.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runEnoki } from "../../helpers/cli-program.js";
import { deployFiles, problemOf, send, until, type Answer } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

/**
 * Notes each try under its idempotency key, then fails as the input says for the first tries.
 * `{ "gate": key }` waits until the key is set.
 */
const FLAKY = `
import { kv, response } from "enoki";
export async function call(i, ctx) {
  const { how, times = 99, gate } = i;
  const n = await kv.increment("tries/" + ctx.idempotencyKey);
  await kv.set("try/" + ctx.idempotencyKey + "/" + n, { atMs: Date.now(), id: ctx.invocationId });
  while (gate && !(await kv.exists(gate))) await new Promise((r) => setTimeout(r, 5));
  if (n <= times) {
    if (how === "throw") throw new RangeError("try " + n);
    if (how === "exit") process.exit(5);
    if (how === "hang") await new Promise(() => {});
    if (typeof how === "number") return response("status " + how, { status: how });
  }
  return response({ tries: n }, { status: 201, headers: { "X-Own": "kept" } });
}
`;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "flaky", { "index.mjs": FLAKY }, { timeout: "1s" });
  await deployFiles(running, "patient", { "index.mjs": FLAKY }, { timeout: "60s" });
});
afterAll(() => running?.remove());

const get = (path: string) => send(running.functionsUrl, path);

/** Sends an asynchronous call. */
function post(name: string, input: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return send(running.functionsUrl, `/${name}`, {
    method: "POST",
    body: JSON.stringify(input),
    headers: { "content-type": "application/json", prefer: "respond-async", ...headers },
  });
}

async function accepted(
  name: string,
  input: unknown,
  headers?: Record<string, string>,
): Promise<string> {
  const { status, headers: answered, text } = await post(name, input, headers);
  expect(status, text).toBe(202);
  return answered["location"] as string;
}

const idOf = (location: string) => location.slice(location.lastIndexOf("/") + 1);

/** The answer once it is there. */
const outcome = (location: string) =>
  until(`an outcome at ${location}`, async () => {
    const answer = await get(location);
    return answer.status !== 202 && answer;
  });

interface Try {
  readonly atMs: number;
  readonly id: string;
}

async function triesOf(name: string, key: string): Promise<Try[]> {
  const tries: Try[] = [];
  const pairs = running.client.kv(name).scan<Try>({ prefix: `try/${key}/` });
  for await (const [, value] of pairs) tries.push(value);
  return tries;
}

describe("an asynchronous call", () => {
  test("is 202 with an empty body and a place for its result, which is 202 until it is there", async () => {
    const answer = await post("patient", { gate: "open" });
    const location = answer.headers["location"] as string;
    expect(answer.status).toBe(202);
    expect(answer.body.length).toBe(0);
    expect(location).toMatch(/^\/_enoki\/invocations\/[0-9a-f]{32}$/);
    expect(answer.headers["enoki-invocation-id"]).toBe(idOf(location));

    const waiting = await get(location);
    expect(waiting.status).toBe(202);
    expect(Number(waiting.headers["retry-after"])).toBeGreaterThan(0);
    await until("it runs", async () => {
      return (await running.client.invocations.get(idOf(location))).state === "running";
    });

    await running.client.kv("patient").set("open", "");
    const done = await outcome(location);
    expect(done).toMatchObject({
      status: 201,
      text: '{"tries":1}',
      headers: { "content-type": "application/json", "x-own": "kept" },
    });
    expect(await get(location)).toMatchObject({ status: 201, text: done.text });
    expect(await running.client.invocations.get(idOf(location))).toMatchObject({
      function: "patient",
      state: "done",
      tries: 1,
      status: 201,
    });
  });

  test("has an id of 128 random bits", async () => {
    const locations = await Promise.all(Array.from({ length: 64 }, () => accepted("patient", {})));
    const ids = locations.map((location) => Buffer.from(idOf(location), "hex"));
    expect(new Set(locations).size).toBe(64);
    for (let bit = 0; bit < 128; bit++) {
      const ones = ids.filter((id) => ((id[bit >> 3] as number) >> (bit & 7)) & 1).length;
      // All alike would be a chance of 2^-63.
      expect(ones).toBeGreaterThan(0);
      expect(ones).toBeLessThan(64);
    }
  });

  test.each([
    [{ prefer: "respond-async" }],
    [{ prefer: "wait=10, respond-async" }],
    [{ prefer: "", "X-tinyFaaS-Async": "true" }],
    [{ prefer: "", "x-tinyfaas-async": "" }],
  ])("is asked for by %j", async (headers) => {
    expect((await post("patient", {}, headers as unknown as Record<string, string>)).status).toBe(
      202,
    );
  });

  test("is not one without such a header", async () => {
    expect((await post("patient", {}, { prefer: "return=minimal" })).status).toBe(201);
  });

  test("to an unknown function is 404 at once", async () => {
    expect(problemOf(await post("nobody", {}))).toMatchObject({
      status: 404,
      code: "ENOKI_FUNCTION_NOT_FOUND",
    });
  });

  test("leaves results that can only be read", async () => {
    const location = await accepted("patient", {});
    await outcome(location);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const answer = await send(running.functionsUrl, location, { method });
      expect(problemOf(answer)).toMatchObject({ status: 405, code: "ENOKI_METHOD_NOT_ALLOWED" });
    }
    const head = await send(running.functionsUrl, location, { method: "HEAD" });
    expect(head).toMatchObject({ status: 201, text: "" });
  });

  test.each(["0".repeat(32), "abc", "", `${"0".repeat(32)}/x`])(
    "%j is no invocation",
    async (id) => {
      expect(problemOf(await get(`/_enoki/invocations/${id}`))).toMatchObject({
        status: 404,
        code: "ENOKI_INVOCATION_NOT_FOUND",
      });
    },
  );
});

describe("a failed try", () => {
  test.each(["throw", "exit", "hang", 500, 503, 599])(
    "(%s) is followed by another one, with the same id and idempotency key",
    async (how) => {
      const location = await accepted("flaky", { how, times: 2 });
      expect(await outcome(location)).toMatchObject({ status: 201, text: '{"tries":3}' });
      const id = idOf(location);
      const tries = await triesOf("flaky", id);
      expect(tries.map((one) => one.id)).toEqual([id, id, id]);
      expect(await running.client.invocations.get(id)).toMatchObject({ state: "done", tries: 3 });
    },
  );

  test.each([400, 404, 409, 429, 499])("(%i) is final: the caller is to blame", async (how) => {
    const location = await accepted("flaky", { how });
    expect(await outcome(location)).toMatchObject({ status: how, text: `status ${how}` });
    expect(await triesOf("flaky", idOf(location))).toHaveLength(1);
  });

  test("because of invalid input is final, too", async () => {
    const answer = await send(running.functionsUrl, "/flaky", {
      method: "POST",
      body: "{",
      headers: { "content-type": "application/json", prefer: "respond-async" },
    });
    const done = await outcome(answer.headers["location"] as string);
    expect(problemOf(done)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
  });

  test("gets the caller's own idempotency key each time", async () => {
    const key = "order 17";
    await outcome(await accepted("flaky", { how: "throw", times: 1 }, { "Idempotency-Key": key }));
    expect(await triesOf("flaky", key)).toHaveLength(2);
  });

  test("is the last one after five, with pauses from 100 ms that double", async () => {
    const location = await accepted("flaky", { how: "throw" });
    const done = await outcome(location);
    expect(problemOf(done)).toMatchObject({
      status: 500,
      code: "ENOKI_FUNCTION_ERROR",
      errorType: "RangeError",
      message: "try 5",
    });
    const tries = await triesOf("flaky", idOf(location));
    expect(tries).toHaveLength(5);
    for (const [i, pauseMs] of [100, 200, 400, 800].entries()) {
      const gapMs = (tries[i + 1] as Try).atMs - (tries[i] as Try).atMs;
      // Jitter takes up to half of a pause away; a busy machine adds to it.
      expect(gapMs).toBeGreaterThanOrEqual(pauseMs / 2 - 5);
      expect(gapMs).toBeLessThan(pauseMs + 3000);
    }
  });
});

describe("dead letters", () => {
  async function deadLetter(gate: string): Promise<string> {
    const input = { how: "throw", times: 5, gate };
    await running.client.kv("flaky").set(gate, "");
    const location = await accepted("flaky", input);
    expect((await outcome(location)).status).toBe(500);
    return idOf(location);
  }

  test("are listed with what went wrong, replayed, and then are none any more", async () => {
    const id = await deadLetter("a");
    const { invocations } = running.client;
    const listed = await invocations.list({ function: "flaky", state: "dead" });
    expect(listed.find((one) => one.id === id)).toMatchObject({
      state: "dead",
      tries: 5,
      lastError: { code: "ENOKI_FUNCTION_ERROR" },
    });
    expect(await invocations.replay(id)).toMatchObject({
      id,
      state: expect.stringMatching(/queued|running/),
    });
    expect(await outcome(`/_enoki/invocations/${id}`)).toMatchObject({
      status: 201,
      text: '{"tries":6}',
    });
    expect(await invocations.get(id)).toMatchObject({ state: "done" });
    await expect(invocations.replay(id)).rejects.toMatchObject({ status: 404 });
  });

  test("are forgotten when asked, and nothing but dead letters is", async () => {
    const id = await deadLetter("b");
    const { invocations } = running.client;
    await invocations.remove(id);
    await expect(invocations.get(id)).rejects.toMatchObject({ code: "ENOKI_INVOCATION_NOT_FOUND" });
    expect((await get(`/_enoki/invocations/${id}`)).status).toBe(404);
    await expect(invocations.remove(id)).rejects.toMatchObject({ status: 404 });
    const done = await accepted("patient", {});
    await outcome(done);
    await expect(invocations.remove(idOf(done))).rejects.toMatchObject({ status: 404 });
  });

  test("outlive a restart", async () => {
    const id = await deadLetter("c");
    running = await running.restart();
    expect(await running.client.invocations.get(id)).toMatchObject({ state: "dead", tries: 5 });
    expect((await get(`/_enoki/invocations/${id}`)).status).toBe(500);
    await running.client.invocations.replay(id);
    expect((await outcome(`/_enoki/invocations/${id}`)).status).toBe(201);
  });

  test("are listed, shown, replayed and forgotten from the command line", async () => {
    const [id, other] = await Promise.all([deadLetter("d"), deadLetter("e")]);
    const enoki = (...args: string[]) =>
      runEnoki(["invocations", ...args, "--node", running.adminUrl]);

    const [list, listJson, shown, shownJson, result] = await Promise.all([
      enoki("ls", "--function", "flaky", "--state", "dead"),
      enoki("ls", "--state", "dead", "--json"),
      enoki("show", id),
      enoki("show", id, "--json"),
      enoki("show", id, "--result"),
    ]);
    expect(list).toMatchObject({ code: 0, stderr: "" });
    expect(list.stdout).toMatch(/^ID +FUNCTION +STATE +TRIES +AGE +RESULT\n/);
    const row = `${id} +flaky +dead +5 +\\d+s +ENOKI_FUNCTION_ERROR\n`;
    expect(list.stdout).toMatch(new RegExp(row));
    const listed = JSON.parse(listJson.stdout) as { id: string; state: string }[];
    expect(listed.map((one) => one.id)).toEqual(expect.arrayContaining([id, other]));
    expect(new Set(listed.map(({ state }) => state))).toEqual(new Set(["dead"]));
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^state +dead\ntries +5$/m);
    expect(shown.stdout).toMatch(/^last error +ENOKI_FUNCTION_ERROR: /m);
    expect(JSON.parse(shownJson.stdout)).toEqual(await running.client.invocations.get(id));
    expect([result.code, result.stdout]).toEqual([5, ""]);
    expect(result.stderr).toContain("RangeError");

    const unknown = "0".repeat(32);
    const refused = await Promise.all(
      [["show", "--json"], ["show", "--result"], ["replay"], ["rm"]].map(([verb = "", ...flags]) =>
        enoki(verb, unknown, ...flags),
      ),
    );
    for (const { code, stdout, stderr } of refused) {
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain("ENOKI_INVOCATION_NOT_FOUND");
    }
    expect((await enoki("ls", "--state", "buried")).code).toBe(2);

    const [replayed, removed] = await Promise.all([enoki("replay", id), enoki("rm", other)]);
    expect(replayed).toMatchObject({ code: 0, stderr: "" });
    expect(replayed.stdout).toMatch(new RegExp(`^${id} is (?:queued|running|done)\n$`));
    expect(removed).toEqual({ code: 0, stdout: `removed ${other}\n`, stderr: "" });
    const [outcomeShown, gone] = await Promise.all([
      enoki("show", id, "--result", "--wait", "30s"),
      enoki("show", other),
    ]);
    expect(outcomeShown).toMatchObject({ code: 0, stdout: '{"tries":6}' });
    expect(gone.code).toBe(1);
    // It is no dead letter any more.
    expect(await enoki("replay", id)).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("a repeated Idempotency-Key", () => {
  test("gives the first invocation's id, also in parallel, and the function runs once", async () => {
    const header = { "Idempotency-Key": "k1" };
    const locations = await Promise.all(
      Array.from({ length: 20 }, (_, i) => accepted("patient", { i }, header)),
    );
    expect(new Set(locations).size).toBe(1);
    const first = locations[0] as string;
    await outcome(first);
    expect(await accepted("patient", {}, header)).toBe(first);
    running = await running.restart();
    expect(await accepted("patient", {}, header)).toBe(first);
    expect(await triesOf("patient", "k1")).toHaveLength(1);
  });

  test("counts per function", async () => {
    const header = { "Idempotency-Key": "k2" };
    expect(await accepted("patient", {}, header)).not.toBe(await accepted("flaky", {}, header));
  });

  test("is free again once its dead letter is forgotten", async () => {
    const header = { "Idempotency-Key": "k3" };
    const first = await accepted("flaky", { how: "throw" }, header);
    expect((await outcome(first)).status).toBe(500);
    expect(await accepted("flaky", { how: "throw" }, header)).toBe(first);
    await running.client.invocations.remove(idOf(first));
    expect(await accepted("flaky", {}, header)).not.toBe(first);
  });
});

test("results and what waits outlive a restart of the node, and running calls are not called twice", async () => {
  const done = await accepted("patient", {});
  expect((await outcome(done)).status).toBe(201);
  const waiting = await Promise.all(
    Array.from({ length: 10 }, (_, i) => accepted("patient", { gate: "later", i })),
  );
  await running.client.kv("patient").set("later", "");
  running = await running.restart();
  expect(await get(done)).toMatchObject({ status: 201, text: '{"tries":1}' });
  for (const location of waiting) expect((await outcome(location)).status).toBe(201);
});

test("a shutdown does not turn calls that wait for an instance into dead letters", async () => {
  await deployFiles(
    running,
    "narrow",
    { "fn.py": "import time\ndef call(i):\n    time.sleep(0.2)\n    return i\n" },
    { maxInstances: 1 },
  );
  const locations = await Promise.all(Array.from({ length: 8 }, (_, i) => accepted("narrow", i)));
  running = await running.restart();
  expect((await outcome(locations[7] as string)).status).toBe(200);
  for (const location of locations) expect((await outcome(location)).status).toBe(200);
});

describe.each([
  [
    "TypeScript",
    {
      "index.ts": `
import { kv } from "enoki";
export async function call(i: { to: string; once?: string; fail?: boolean }) {
  const batch = kv.batch().increment("sent").send(i.to, { from: "batch" });
  if (i.fail) batch.check("sent", "no-such-version");
  if (i.once) batch.once(i.once);
  const { versions, repeated } = await batch.commit();
  return { versions, repeated };
}`,
    },
  ],
  [
    "Python",
    {
      "fn.py": `
import kv
def call(i):
    batch = kv.batch().increment("sent").send(i["to"], {"from": "batch"})
    if i.get("fail"): batch.check("sent", "no-such-version")
    if i.get("once"): batch.once(i["once"])
    done = batch.commit()
    return {"versions": done.versions, "repeated": done.repeated}
`,
    },
  ],
] as const)("a send in a batch of %s", (language, files) => {
  const sender = `send-${language}`;
  const receiver = `receive-${language}`;
  const call = (input: unknown) =>
    send(running.functionsUrl, `/${sender}`, {
      method: "POST",
      body: JSON.stringify(input),
      headers: { "content-type": "application/json" },
    });
  const received = () => running.client.kv(receiver).get<number>("count");

  beforeAll(async () => {
    await deployFiles(running, sender, files);
    await deployFiles(running, receiver, {
      "index.mjs": `import { kv } from "enoki"; export const call = (i) => { if (i.from !== "batch") throw i; return kv.increment("count"); };`,
    });
  });

  test("is delivered, and with once() a repeat changes nothing and gives the first result", async () => {
    expect((await call({ to: receiver })).status).toBe(200);
    await until("it is delivered", async () => (await received()) === 1);
    const first = JSON.parse((await call({ to: receiver, once: "o1" })).text) as {
      versions: string[];
    };
    await until("it is delivered", async () => (await received()) === 2);
    const repeats = await Promise.all(
      Array.from({ length: 5 }, () => call({ to: receiver, once: "o1" })),
    );
    for (const repeat of repeats) {
      expect(JSON.parse(repeat.text)).toEqual({ versions: first.versions, repeated: true });
    }
    expect(await running.client.kv(sender).get("sent")).toBe(2);
    // A third send, made after the repeats, comes after whatever they would have sent.
    await call({ to: receiver });
    await until("it is delivered", async () => (await received()) === 3);
    const { invocations } = running.client;
    expect(await invocations.list({ function: receiver })).toHaveLength(3);
  });

  test("is not made when the batch is refused, and an unknown receiver refuses the batch", async () => {
    const before = await running.client.invocations.list({ function: receiver });
    const refused = await call({ to: receiver, fail: true });
    expect(problemOf(refused)["code"]).toBe("ENOKI_FUNCTION_ERROR");
    expect(refused.status).toBe(500);
    expect((await call({ to: "nobody-there" })).status).toBe(500);
    expect(await running.client.invocations.list({ function: receiver })).toHaveLength(
      before.length,
    );
    expect(await running.client.kv(sender).get("sent")).toBe(3);
  });
});
