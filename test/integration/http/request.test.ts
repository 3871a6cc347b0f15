import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, problemOf, send, type Answer, type Sent } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "node", { "index.mjs": "export const call = (i) => i;" });
  await deployFiles(running, "Case-Kept1", { "index.mjs": "export const call = () => 'kept';" });
  await deployFiles(
    running,
    "slow",
    {
      "index.mjs":
        "export const call = (ms) => new Promise((r) => setTimeout(r, Number(ms), 'done'));",
    },
    { timeout: "500ms" },
  );
});
afterAll(() => running?.remove());

const call = (path: string, sent?: Sent) => send(running.functionsUrl, path, sent);

/** Bytes on the wire of the headers that we add: what HTTP itself needs is not ours. */
function ownHeaderBytes({ rawHeaders }: Answer): number {
  const ofHttp = new Set(["date", "connection", "keep-alive", "content-length", "content-type"]);
  let bytes = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (!ofHttp.has(name.toLowerCase())) bytes += `${name}: ${value}\r\n`.length;
  }
  return bytes;
}

test("our own response headers have at most 150 bytes, whatever the answer is", async () => {
  const async202 = await call("/node", {
    method: "POST",
    body: "x",
    headers: { Prefer: "respond-async" },
  });
  const location = async202.headers["location"] as string;
  const answers = [
    await call("/node"),
    async202,
    await call(location),
    await call("/nobody"),
    await call("/node", { headers: { "Enoki-Timeout": "5" } }),
    await call("/"),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    200,
    202,
    expect.any(Number),
    404,
    400,
    200,
  ]);
  for (const answer of answers) expect(ownHeaderBytes(answer)).toBeLessThanOrEqual(150);
  expect(ownHeaderBytes(answers[0] as Answer)).toBe("Enoki-Invocation-Id: \r\n".length + 32);
});

test("every call has an id of its own, 32 hexadecimal digits, also when it fails", async () => {
  const ids = new Set<string>();
  for (const path of ["/node", "/node", "/slow", "/node"]) {
    const headers = { "content-type": "text/plain", "Enoki-Timeout": "50ms" };
    const body = path === "/slow" ? "2000" : "x";
    const answer = await call(path, { method: "POST", body, headers });
    const id = answer.headers["enoki-invocation-id"];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    ids.add(id as string);
  }
  expect(ids.size).toBe(4);
});

describe("Enoki-Timeout", () => {
  test.each(["5", "0s", "-1s", "soon", "1e9d", ""])("%j is refused with 400", async (timeout) => {
    const answer = await call("/node", { headers: { "Enoki-Timeout": timeout } });
    expect(problemOf(answer)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
  });

  test.each(["1ms", "200ms", "5s", "10m", "2h", "7d"])("%s is taken", async (timeout) => {
    const answer = await call("/node", { headers: { "Enoki-Timeout": timeout } });
    // A millisecond may be over before the function answers.
    expect(timeout === "1ms" ? [200, 504] : [200]).toContain(answer.status);
  });

  test("a shorter one ends the call, a longer one is cut to the function's own", async () => {
    for (const [timeout, limitMs] of [
      ["50ms", 50],
      ["1h", 500],
    ] as const) {
      const began = performance.now();
      const answer = await call("/slow", {
        method: "POST",
        body: "9000",
        headers: { "Enoki-Timeout": timeout },
      });
      expect(problemOf(answer)).toMatchObject({ status: 504, code: "ENOKI_TIMEOUT" });
      expect(performance.now() - began).toBeGreaterThanOrEqual(limitMs - 5);
      expect(performance.now() - began).toBeLessThan(4000);
      expect(problemOf(answer)["detail"]).toContain(`${limitMs} ms`);
    }
  });
});

describe("names", () => {
  test("their case is kept and counts", async () => {
    expect((await call("/Case-Kept1")).text).toBe("kept");
    expect((await call("/case-kept1")).status).toBe(404);
  });

  test.each(["/_enoki", "/_enoki/", "/_anything/at/all", "/_"])(
    "%s is reserved: nothing is there and nothing can be deployed there",
    async (path) => {
      const answer = await call(path, { method: "POST", body: "x" });
      expect(problemOf(answer)).toMatchObject({ status: 404, code: "ENOKI_NOT_FOUND" });
      const name = path.split("/")[1] as string;
      const form = new FormData();
      form.set("archive", new Blob(["x"]), "x.zip");
      const deploy = await fetch(`${running.adminUrl}/v1/functions/${name}`, {
        method: "PUT",
        body: form,
      });
      expect(deploy.status).toBe(400);
      expect(await deploy.json()).toMatchObject({ code: "ENOKI_INVALID_NAME" });
    },
  );

  test.each(["/nobody", "/node%2F", "/nod%65", "/-", "/constructor", "/__proto__"])(
    "%s is no function: 404",
    async (path) => {
      const answer = await call(path);
      expect(problemOf(answer)["code"]).toMatch(/^ENOKI_(FUNCTION_)?NOT_FOUND$/);
      expect(answer.status).toBe(404);
    },
  );
});

test("GET / answers on both ports", async () => {
  expect((await call("/")).status).toBeGreaterThanOrEqual(200);
  expect((await call("/?x=1", { method: "POST", body: "x" })).status).toBe(200);
  expect((await send(running.adminUrl, "/")).status).toBeGreaterThanOrEqual(200);
});

test("a target in absolute form, as proxies send it, is taken", async () => {
  const answer = await call(`${running.functionsUrl}/node/x`, { method: "POST", body: "abs" });
  expect(answer).toMatchObject({ status: 200, text: "abs" });
});

test("no answer of the function port names a staleness when nothing was read", async () => {
  expect((await call("/node")).headers["enoki-staleness-ms"]).toBeUndefined();
});
