import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";

import { NODE_DEFAULTS } from "../../../dist/node/node-settings.js";
import { LIMITS } from "../../../src/core/limits.js";
import { createFunctionPort } from "../../../src/gateway/functions/function-port.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

/** In place of minutes. */
const ARRIVAL_MS = 500;
const IDLE_MS = 1000;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode({
    ...PROCESS_ISOLATION,
    callArrivalMs: ARRIVAL_MS,
    adminBodyIdleMs: IDLE_MS,
  });
  await deployFiles(running, "slow", {
    "index.mjs":
      "export const call = (ms) => new Promise((r) => setTimeout(r, Number(ms), 'done'));",
  });
  await running.client.keygroups.create("kg");
});
afterAll(() => running?.remove());

/** Sends `head`, then `drop` every 50 ms for as long as the connection lives; gives what came back. */
function drip(base: string, head: string, drop: () => string): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    socket.on("error", () => {});
    socket.write(head);
    const timer = setInterval(() => {
      const bytes = drop();
      if (bytes !== "") socket.write(bytes);
    }, 50);
    socket.on("close", () => {
      clearInterval(timer);
      resolve(answer);
    });
  });
}

const post = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`;

test("a caller that drips its body for ever is cut off with 408", async () => {
  expect(await drip(running.functionsUrl, post("/slow", 1_000_000), () => "1")).toMatch(
    /^HTTP\/1\.1 408 /,
  );
});

test("a caller that drips its headers for ever is cut off with 408", async () => {
  expect(await drip(running.functionsUrl, "POST /slow HTTP/1.1\r\n", () => "X-A: b\r\n")).toMatch(
    /^HTTP\/1\.1 408 /,
  );
});

test("a call that has arrived may run longer than calls may take to arrive", async () => {
  const headers = { "content-type": "text/plain" };
  const answer = await send(running.functionsUrl, "/slow", {
    body: String(3 * ARRIVAL_MS),
    headers,
  });
  expect([answer.status, answer.text]).toEqual([200, "done"]);
});

test("a body on the admin port that stands still is cut off with 408", async () => {
  const path = "/v1/keygroups/kg/import";
  const begun = `${post(path, 1_000_000)}{"key":`;
  expect(await drip(running.adminUrl, begun, () => "")).toMatch(/^HTTP\/1\.1 408 /);
  expect(await running.client.kv("kg").keys().toArray()).toEqual([]);
});

test("an import that goes on and on is taken to its end, however long it is", async () => {
  const lines = Array.from(
    { length: 60 },
    (_, i) => `{"key":"${i}","value":{"t":"str","v":"v"}}\n`,
  );
  const began = performance.now();
  const answer = await drip(
    running.adminUrl,
    post("/v1/keygroups/kg/import", lines.join("").length).replace(
      "Host: 127.0.0.1",
      "Host: 127.0.0.1\r\nConnection: close",
    ),
    () => lines.shift() ?? "",
  );
  expect(performance.now() - began).toBeGreaterThan(2 * IDLE_MS);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain('{"imported":60}');
});

test("a value beyond the limit is refused in words, however slowly the rest of it comes", async () => {
  const sizeBytes = LIMITS.valueSizeBytesMax + 20;
  const tail = Array.from({ length: 20 }, () => "x");
  const answer = await drip(
    running.adminUrl,
    post("/v1/keygroups/kg/keys/large", sizeBytes)
      .replace("POST", "PUT")
      .replace("Host: 127.0.0.1", "Host: 127.0.0.1\r\nConnection: close") +
      "x".repeat(LIMITS.valueSizeBytesMax),
    () => tail.shift() ?? "",
  );
  expect(tail).toEqual([]);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain("ENOKI_VALUE_TOO_LARGE");
});

test("a node gives a call five minutes to arrive, and a body on the admin port one to move", () => {
  expect(NODE_DEFAULTS).toMatchObject({ callArrivalMs: 300_000, adminBodyIdleMs: 60_000 });
  expect(LIMITS.longestCallArrivalMs).toBe(NODE_DEFAULTS.callArrivalMs);
  const port = createFunctionPort({ arrivalMs: NODE_DEFAULTS.callArrivalMs } as never);
  expect([port.requestTimeout, port.headersTimeout]).toEqual([300_000, 60_000]);
});
