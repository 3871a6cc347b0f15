// Why so long: every error of a call is provoked on the same node, whose start is dear.

import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { connect as connectClient } from "../../../src/client/index.js";
import { LIMITS } from "../../../src/core/limits.js";
import { deployFiles, problemOf, send, until, type Answer } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

const BODY_LIMIT_BYTES = 64 * 1024;

const PYTHON = `
import os, signal, sys
def helper():
    raise ValueError("no such thing")
def call(i):
    if i == "throw": helper()
    if i == "exit": os._exit(7)
    if i == "sys.exit": sys.exit(3)
    if i == "signal": os.kill(os.getpid(), signal.SIGSEGV)
    if i == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if i == "oom":
        x = bytearray(1 << 30)
        for at in range(0, len(x), 4096): x[at] = 1
    if i == "large": return "x" * (16 * 1024 * 1024 + 1)
    if i == "largest": return "x" * (16 * 1024 * 1024)
    return i
`;
const NODE = `
class Refusal extends TypeError { name = "Refusal"; }
function helper() { throw new Refusal("no such thing"); }
export async function call(i) {
  if (i === "throw") helper();
  if (i === "throw-text") throw "just text";
  if (i === "late") setTimeout(() => { throw new Error("late"); }, 1);
  if (i === "late") await new Promise(() => {});
  if (i === "exit") process.exit(7);
  if (i === "signal") process.kill(process.pid, "SIGSEGV");
  if (i === "kill") process.kill(process.pid, "SIGKILL");
  if (i === "signal" || i === "kill") await new Promise(() => {});
  if (i === "oom") { const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1)); }
  if (i === "large") return "x".repeat(16 * 1024 * 1024 + 1);
  if (i === "largest") return "x".repeat(16 * 1024 * 1024);
  return i;
}
`;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode({ ...PROCESS_ISOLATION, bodyLimitBytes: BODY_LIMIT_BYTES });
  await deployFiles(running, "python", { "fn.py": PYTHON }, { memory: "128m", maxInstances: 2 });
  await deployFiles(running, "node", { "index.mjs": NODE }, { memory: "128m", maxInstances: 2 });
});
afterAll(() => running?.remove());

const call = (name: string, body: string, headers: Record<string, string> = {}) =>
  send(running.functionsUrl, `/${name}`, {
    method: "POST",
    body,
    headers: { "content-type": "text/plain", ...headers },
  });

async function logOf(name: string, invocation: string | undefined): Promise<string> {
  let text = "";
  for await (const line of running.client.functions.logs(name)) {
    if (line.invocation === invocation) text += `${line.text}\n`;
  }
  return text;
}

test("an unknown function is 404", async () => {
  const problem = problemOf(await call("nobody", ""));
  expect(problem).toMatchObject({ status: 404, code: "ENOKI_FUNCTION_NOT_FOUND" });
  expect(problem["title"]).toEqual(expect.any(String));
  expect(problem["type"]).toContain("ENOKI_FUNCTION_NOT_FOUND");
});

describe("a body that is too large is 413", () => {
  test("when its length says so, also while the client still sends", async () => {
    for (const factor of [1, 2, 3.9]) {
      const answer = await call("node", "x".repeat(BODY_LIMIT_BYTES * factor + 1));
      expect(problemOf(answer)).toMatchObject({ status: 413, code: "ENOKI_BODY_TOO_LARGE" });
    }
    expect((await call("node", "x".repeat(BODY_LIMIT_BYTES))).status).toBe(200);
  });

  test("before it was sent, when its length says so", async () => {
    const head = `POST /node HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY_LIMIT_BYTES + 1}\r\n\r\n`;
    expect(await firstLineAfter([head])).toBe("HTTP/1.1 413 Payload Too Large");
  });

  test("when it comes in chunks without a length", async () => {
    const head = "POST /node HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    expect(await firstLineAfter([head, chunk, chunk, chunk])).toBe(
      "HTTP/1.1 413 Payload Too Large",
    );
    expect(await firstLineAfter([head, chunk, "0\r\n\r\n"])).toBe("HTTP/1.1 200 OK");
  });

  test("and who goes on sending for ever is cut off", async () => {
    const head = "POST /node HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    await sendUntilCutOff(head, chunk);
  });
});

/** Writes `parts` to a connection of its own and gives the first line of the answer. */
function firstLineAfter(parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(running.functionsUrl).port), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n");
      if (end < 0) return;
      socket.destroy();
      resolve(text.slice(0, end));
    });
    socket.on("error", reject);
    for (const part of parts) socket.write(part);
  });
}

function sendUntilCutOff(head: string, chunk: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(running.functionsUrl).port), "127.0.0.1");
    const more = (): void => void socket.write(chunk, () => setImmediate(more));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.write(head, more);
    socket.resume();
  });
}

test("invalid input is 400", async () => {
  const json = { "content-type": "application/json" };
  const headers = { "Idempotency-Key": "k".repeat(LIMITS.idempotencyKeyBytesMax + 1) };
  for (const answer of [
    await call("python", "{", json),
    await call("node", "{", json),
    await call("node", "", { "Enoki-Timeout": "5" }),
    await call("node", "", headers),
  ]) {
    expect(problemOf(answer)).toMatchObject({ status: 400, code: "ENOKI_INVALID_INPUT" });
  }
  expect(await firstLineAfter(["NONSENSE\r\n\r\n"])).toBe("HTTP/1.1 400 Bad Request");
});

test("a version conflict is 412", async () => {
  const keys = `${running.adminUrl}/v1/keygroups/node/keys/k`;
  const put = (headers: Record<string, string>) =>
    fetch(keys, {
      method: "PUT",
      body: "x",
      headers: { "content-type": "text/plain", ...headers },
    });
  expect((await put({ "if-none-match": "*" })).ok).toBe(true);
  const refused = await put({ "if-none-match": "*" });
  expect(refused.status).toBe(412);
  expect(await refused.json()).toMatchObject({ status: 412, code: "ENOKI_VERSION_CONFLICT" });
});

describe.each([
  [
    "python",
    "ValueError",
    /Traceback[\s\S]*fn\.py", line \d+, in helper[\s\S]*ValueError: no such thing/,
  ],
  ["node", "Refusal", /Refusal: no such thing\n\s+at helper \(/],
] as const)("a %s function that fails", (name, errorType, traceback) => {
  test("by an exception is 500 with type and message, and the traceback only in the log", async () => {
    const answer = await call(name, "throw");
    const problem = problemOf(answer);
    expect(problem).toMatchObject({
      status: 500,
      code: "ENOKI_FUNCTION_ERROR",
      errorType,
      message: "no such thing",
    });
    expect(answer.text).not.toMatch(/Traceback|helper|fn\.py|index\.mjs/);
    const log = await logOf(name, answer.headers["enoki-invocation-id"] as string);
    expect(log).toMatch(traceback);
    expect((await call(name, "still here")).text).toBe("still here");
  });

  test.each([
    ["exit", "exit code 7", { exitCode: 7 }],
    ["signal", "signal SIGSEGV", { signal: "SIGSEGV" }],
    ["kill", "signal SIGKILL", { signal: "SIGKILL" }],
  ])(
    "by %s is 502 with the reason, and the next call finds a fresh instance",
    async (way, reason, extra) => {
      const answer = await call(name, way);
      expect(problemOf(answer)).toMatchObject({
        status: 502,
        code: "ENOKI_INSTANCE_DIED",
        reason,
        ...extra,
      });
      expect((await call(name, "fresh")).text).toBe("fresh");
    },
  );

  test("by eating all its memory is 502 with reason oom, and others do not notice", async () => {
    const other = name === "python" ? "node" : "python";
    const dying = call(name, "oom");
    expect((await call(other, "well")).text).toBe("well");
    expect(problemOf(await dying)).toMatchObject({
      status: 502,
      code: "ENOKI_INSTANCE_DIED",
      reason: "oom",
    });
    expect((await call(name, "fresh")).text).toBe("fresh");
  });

  test("by an output of more than 16 MiB is 502, and exactly 16 MiB are fine", async () => {
    expect(problemOf(await call(name, "large"))).toMatchObject({
      status: 502,
      code: "ENOKI_OUTPUT_TOO_LARGE",
    });
    const largest = await call(name, "largest");
    expect(largest.status).toBe(200);
    expect(largest.body.length).toBe(LIMITS.outputBytesMax);
  });
});

test("sys.exit in a Python function ends the call, not the instance", async () => {
  expect(problemOf(await call("python", "sys.exit"))).toMatchObject({
    status: 500,
    code: "ENOKI_FUNCTION_ERROR",
    errorType: "SystemExit",
  });
});

test("what a JavaScript function throws need not be an error", async () => {
  expect(problemOf(await call("node", "throw-text"))).toMatchObject({
    status: 500,
    errorType: "string",
    message: "just text",
  });
});

test("an uncaught exception outside of a call ends the instance and is in the log", async () => {
  const answer = await call("node", "late");
  expect([500, 502]).toContain(answer.status);
  problemOf(answer);
  await until("the log has it", async () => {
    for await (const { text } of running.client.functions.logs("node")) {
      if (text.includes("Error: late")) return true;
    }
    return false;
  });
  expect((await call("node", "fresh")).text).toBe("fresh");
});

test("a full queue is 503 with Retry-After, and those that wait are served", async () => {
  await deployFiles(
    running,
    "one",
    {
      "fn.py":
        "import os, time\ndef call(path):\n    while not os.path.exists(path): time.sleep(0.01)\n",
    },
    { maxInstances: 1, timeout: "60s" },
  );
  const flag = `${running.dataDir}/go`;
  const waiting = Array.from({ length: LIMITS.queueLengthMax + 1 }, () => call("one", flag));
  await until("the queue is full", async () => {
    const { status } = await running.client.functions.get("one");
    return status.queued === LIMITS.queueLengthMax;
  });
  const refused = await call("one", flag);
  expect(problemOf(refused)).toMatchObject({ status: 503, code: "ENOKI_QUEUE_FULL" });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  await writeFile(flag, "");
  const statuses = new Set((await Promise.all(waiting)).map(({ status }) => status));
  expect(statuses).toEqual(new Set([200]));
});

test("a caller that leaves makes room in the queue", async () => {
  const flag = `${running.dataDir}/go-again`;
  const first = call("one", flag);
  await until(
    "it runs",
    async () => (await running.client.functions.get("one")).status.running === 1,
  );
  const abort = new AbortController();
  const url = `${running.functionsUrl}/one`;
  const left = fetch(url, { method: "POST", body: flag, signal: abort.signal }).catch(() => "left");
  await until(
    "it waits",
    async () => (await running.client.functions.get("one")).status.queued === 1,
  );
  abort.abort();
  expect(await left).toBe("left");
  await until(
    "it is gone",
    async () => (await running.client.functions.get("one")).status.queued === 0,
  );
  await writeFile(flag, "");
  expect((await first).status).toBe(200);
});

test("code that no longer loads is told to callers without its traceback, which is in the log", async () => {
  const flag = `${running.dataDir}/broken`;
  await deployFiles(running, "fragile", {
    "fn.py": `import os\ndef check():\n    if os.path.exists(${JSON.stringify(flag)}): raise RuntimeError("broken now")\ncheck()\ndef call(i):\n    os._exit(1)\n`,
  });
  await writeFile(flag, "");
  expect((await call("fragile", "")).status).toBe(502);
  const answer = await call("fragile", "");
  expect(problemOf(answer)).toMatchObject({ code: "ENOKI_LOAD_FAILED", errorType: "RuntimeError" });
  expect(answer.text).not.toMatch(/Traceback|fn\.py/);
  await until("the log has the traceback", async () => {
    for await (const { text } of running.client.functions.logs("fragile")) {
      if (/line \d+, in check/.test(text)) return true;
    }
    return false;
  });
});

describe("with a token", () => {
  let guarded: RunningNode;
  beforeAll(async () => {
    guarded = await startNode({
      ...PROCESS_ISOLATION,
      adminToken: "s3cret",
      functionsNeedToken: true,
    });
    const client = connectClient({ url: guarded.adminUrl, token: "s3cret" });
    await deployFiles({ ...guarded, client }, "echo", {
      "index.mjs": "export const call = (i, ctx) => ({ auth: ctx.headers.authorization ?? null });",
    });
  });
  afterAll(() => guarded?.remove());

  const get = (base: string, path: string, authorization?: string): Promise<Answer> =>
    send(base, path, authorization === undefined ? {} : { headers: { authorization } });

  test.each([undefined, "Bearer wrong", "Bearer", "Basic s3cret", "Bearer s3cret x", "s3cret"])(
    "%j is 401 on both ports, with the way to do better",
    async (authorization) => {
      for (const [base, path] of [
        [guarded.functionsUrl, "/echo"],
        [guarded.functionsUrl, `/_enoki/invocations/${"0".repeat(32)}`],
        [guarded.adminUrl, "/v1/functions"],
        [guarded.adminUrl, "/list"],
      ] as const) {
        const answer = await get(base, path, authorization);
        expect(problemOf(answer)).toMatchObject({ status: 401, code: "ENOKI_UNAUTHORIZED" });
        expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
      }
    },
  );

  test("the right one is taken, and stays with the node", async () => {
    expect(JSON.parse((await get(guarded.functionsUrl, "/echo", "Bearer s3cret")).text)).toEqual({
      auth: null,
    });
    expect((await get(guarded.adminUrl, "/v1/functions", "bearer  s3cret")).status).toBe(200);
  });

  test("/healthz and /readyz are open", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      expect((await get(guarded.adminUrl, path)).status).toBe(200);
    }
  });
});
