import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { TestCollector } from "../../helpers/collector.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${CLIENT_SPAN}-01`;
const FUNCTIONS = {
  node: { "index.mjs": `export function call() { console.log("hello"); throw new Error("no"); }` },
  python: { "fn.py": `def call(i):\n    print("hello")\n    raise ValueError("no")\n` },
} as const;

/** Lines that one call has written. */
async function linesOf(running: RunningNode, name: string, headers: Record<string, string>) {
  const answer = await send(running.functionsUrl, `/${name}`, { headers });
  expect(answer.status).toBe(500);
  const lines = [];
  for await (const line of running.client.functions.logs(name)) lines.push(line);
  return lines.filter(({ invocation }) => invocation === answer.headers["enoki-invocation-id"]);
}

async function deployAll(running: RunningNode): Promise<void> {
  for (const [name, files] of Object.entries(FUNCTIONS)) await deployFiles(running, name, files);
}

describe("lines that a function writes on a node that records nothing", () => {
  let running: RunningNode;
  beforeAll(async () => {
    running = await startNode(PROCESS_ISOLATION);
    await deployAll(running);
  });
  afterAll(() => running?.remove());

  test.each(Object.keys(FUNCTIONS))("%s: name the trace that the client has sent", async (name) => {
    const lines = await linesOf(running, name, { traceparent: TRACEPARENT });
    expect(lines.length).toBeGreaterThan(1);
    for (const { traceId, spanId } of lines)
      expect([traceId, spanId]).toEqual([TRACE, CLIENT_SPAN]);
  });

  test.each(["", "nonsense", `00-${"0".repeat(32)}-${CLIENT_SPAN}-01`])(
    "name none where there is none: %j",
    async (traceparent) => {
      const lines = await linesOf(running, "node", traceparent === "" ? {} : { traceparent });
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) expect(line).not.toHaveProperty("traceId");
    },
  );
});

test("lines that a function writes in a call that is recorded name the span of its invocation", async () => {
  const collector = await TestCollector.start();
  const tracing = {
    collector: { url: `${collector.url}/v1/traces`, headers: {} },
    ratio: 1,
    serviceName: undefined,
  };
  const running = await startNode({ ...PROCESS_ISOLATION, tracing });
  try {
    await deployAll(running);
    for (const name of Object.keys(FUNCTIONS)) {
      const lines = await linesOf(running, name, { traceparent: TRACEPARENT });
      const spans = await collector.trace(TRACE, [`invoke ${name}`]);
      const { spanId, status } = spans.find((span) => span.name === `invoke ${name}`) ?? {};
      expect(status).toEqual({ code: 2, message: "ENOKI_FUNCTION_ERROR" });
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) expect([line.traceId, line.spanId]).toEqual([TRACE, spanId]);
    }
  } finally {
    await running.remove();
    await collector.close();
  }
});
