import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { CALLEE, CALLERS, type Called } from "./functions.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "callee", { "index.mjs": CALLEE });
  for (const [name, files] of Object.entries(CALLERS)) await deployFiles(running, name, files);
});
afterAll(() => running?.remove());

async function ask(
  caller: string,
  asked: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Called> {
  const answer = await send(running.functionsUrl, `/${caller}`, {
    body: JSON.stringify(asked),
    headers: { "content-type": "application/json", ...headers },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Called;
}

describe.each(Object.keys(CALLERS))("a call of a function by %s", (caller) => {
  test.each([
    ["text", { data: "héllo" }, { input: "héllo", bytes: false }],
    ["json", { data: { a: [1, null] } }, { input: { a: [1, null] }, bytes: false }],
    ["bytes", { bytes: [0, 255] }, { input: [0, 255], bytes: true }],
    ["nothing", {}, { input: null, bytes: false, method: "POST", path: "", idempotencyKey: null }],
    ["empty text", { data: "" }, { input: "", bytes: false }],
  ])("hands over %s", async (_, asked, seen) => {
    expect((await ask(caller, { name: "callee", ...asked })).result).toMatchObject(seen);
  });

  test("takes method, path, query, headers and an idempotency key along", async () => {
    const options = {
      method: "GET",
      path: "/a%20b/c?x=1&y=%3F",
      headers: { "X-Thing": "one" },
      idempotencyKey: "key-1",
    };
    expect((await ask(caller, { name: "callee", options })).result).toMatchObject({
      input: "",
      method: "GET",
      path: "/a%20b/c",
      query: "x=1&y=%3F",
      headers: { "x-thing": "one" },
      idempotencyKey: "key-1",
    });
  });

  test("gives back what the function returns, as it was", async () => {
    const of = (data: object) => ask(caller, { name: "callee", data });
    expect(await of({ text: "tëxt" })).toEqual({ nothing: false, result: "tëxt" });
    expect(await of({ text: "" })).toEqual({ nothing: false, result: "" });
    expect(await of({ bytes: true })).toEqual({ bytes: [1, 2, 3] });
    expect((await of({ nothing: true })).nothing).toBe(true);
    const large = "x".repeat(3_000_000);
    expect((await of({ text: large })).result).toBe(large);
  });

  test("fails as the function does", async () => {
    const thrown = await ask(caller, { name: "callee", data: { throw: "no luck" } });
    expect(thrown).toMatchObject({
      code: "ENOKI_FUNCTION_ERROR",
      message: "Error: no luck",
      extra: { errorType: "Error" },
    });
    const refused = await ask(caller, { name: "callee", data: { status: 404 } });
    expect(refused).toMatchObject({ code: "ENOKI_CALL_STATUS", extra: { status: 404 } });
    expect(refused.message).toBe('"callee" answered with 404: {"asked":{"status":404}}');
    expect(refused.extra?.["body"]).toBe('{"asked":{"status":404}}');
  });

  test("names a function that exists nowhere, and refuses what is malformed", async () => {
    expect(await ask(caller, { name: "nobody", data: 1 })).toMatchObject({
      code: "ENOKI_FUNCTION_NOT_FOUND",
      message: 'no node that is known here runs "nobody"',
    });
    for (const [options, code] of [
      [{ timeout: "5" }, "ENOKI_INVALID_INPUT"],
      [{ timeout: "0s" }, "ENOKI_INVALID_INPUT"],
      [{ path: "no-slash" }, "ENOKI_INVALID_INPUT"],
      [{ method: "get it" }, "ENOKI_INVALID_INPUT"],
      [{ headers: { "x-a": "line\nbreak" } }, "ENOKI_INVALID_INPUT"],
      [{ idempotencyKey: "k".repeat(257) }, "ENOKI_INVALID_INPUT"],
    ] as const) {
      expect((await ask(caller, { name: "callee", options })).code, JSON.stringify(options)).toBe(
        code,
      );
    }
    expect((await ask(caller, { name: 5 })).code).toBe("ENOKI_INVALID_NAME");
    expect((await ask(caller, { name: "callee", data: 2 ** 60 })).code).toBe(
      "ENOKI_VALUE_UNSUPPORTED",
    );
  });

  test("has as long as its caller, and no longer than it says", async () => {
    const asked = { name: "callee", data: {} };
    const own = (await ask(caller, asked, { "enoki-timeout": "5s" })).result as { leftMs: number };
    expect(own.leftMs).toBeLessThan(5001);
    expect(own.leftMs).toBeGreaterThan(3000);
    const late = { name: "callee", data: { sleepMs: 5000 }, options: { timeout: "100ms" } };
    expect((await ask(caller, late)).code).toBe("ENOKI_TIMEOUT");
  });

  test("belongs to its caller's trace, below its client's span where the node records none", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${trace}-b7ad6b7169203331-01`;
    const { result } = await ask(caller, { name: "callee" }, { traceparent, tracestate: "a=1" });
    const { headers } = result as { headers: Record<string, string> };
    expect(headers["traceparent"]).toBe(traceparent);
    expect(headers["tracestate"]).toBe("a=1");
    const own = `00-${trace}-00f067aa0ba902b7-01`;
    const below = { name: "callee", options: { headers: { traceparent: own } } };
    const { result: other } = await ask(caller, below, { traceparent });
    expect((other as typeof result & object)["headers" as never]).toMatchObject({
      traceparent: own,
    });
    const none = (await ask(caller, { name: "callee" })).result as typeof result;
    expect((none as { headers: object }).headers).not.toHaveProperty("traceparent");
  });
});

describe("functions that call each other in a circle", () => {
  test.each([
    [
      "node",
      { "index.mjs": `import { call as c } from "enoki";\nexport const call = (i) => c(i.to, i);` },
    ],
    ["python", { "fn.py": `import enoki\n\ndef call(i):\n    return enoki.call(i["to"], i)\n` }],
  ] as const)("end at the greatest depth: %s", async (language, files) => {
    const [ping, pong] = [`ping-${language}`, `pong-${language}`];
    const other = files as Readonly<Record<string, string>>;
    await deployFiles(running, ping, other, { maxInstances: 20 });
    await deployFiles(running, pong, {
      "index.mjs": `import { call as c } from "enoki";\nexport const call = (i) => c("${ping}", i);`,
    });
    const answer = await running.client.call(ping, { to: pong }).catch((error: unknown) => error);
    expect(answer).toMatchObject({ code: "ENOKI_FUNCTION_ERROR" });
    expect((answer as Error).message).toContain("in a circle");
  });
});

test("a call whose function is taken away in the middle ends, and the next one says so", async () => {
  await deployFiles(running, "gone", { "index.mjs": CALLEE });
  const slow = ask("node", { name: "gone", data: { sleepMs: 300 } });
  await expect.poll(() => running.node.functions.find("gone")?.status.running).toBe(1);
  await running.client.functions.remove("gone");
  expect((await slow).result).toMatchObject({ input: { sleepMs: 300 } });
  expect((await ask("node", { name: "gone" })).code).toBe("ENOKI_FUNCTION_NOT_FOUND");
});

test("a call whose function is deployed again in the middle ends as it began", async () => {
  await deployFiles(running, "again", { "index.mjs": CALLEE });
  const slow = ask("node", { name: "again", data: { sleepMs: 300 } });
  await expect.poll(() => running.node.functions.find("again")?.status.running).toBe(1);
  await deployFiles(running, "again", { "index.mjs": `export const call = () => "new";` });
  expect((await slow).result).toMatchObject({ input: { sleepMs: 300 } });
  expect((await ask("node", { name: "again" })).result).toBe("new");
});
