import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { TestCollector, treeOf } from "../../helpers/collector.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import {
  startNodes,
  type ClusterNode,
  type RunningCluster,
} from "../../helpers/running-cluster.js";

const CLIENT_SPAN = "b7ad6b7169203331";

/** Does what its input says, or returns its headers. */
const WORKER = `
import { call as ask, kv } from "enoki";
export async function call(input, { headers }) {
  if (input === "throw") throw new Error("no");
  if (input === "batch") return kv.batch().set("key", 1).send("worker", "quiet").commit().then(() => "");
  if (input === "scan") { for await (const pair of kv.scan({ prefix: "a" })) pair; return ""; }
  if (input === "update") return kv.update("n", (n) => (n ?? 0) + 1);
  if (input === "refused") return kv.set("key", 2, { ifAbsent: true });
  if (input === "nobody") return ask("nobody");
  return headers.traceparent ?? "none";
}
`;
const AWAY = `
import { kv } from "enoki";
export async function call() { await kv.set("key", "value"); return kv.get("key"); }
`;

let collector: TestCollector;
let cluster: RunningCluster;
let edge: ClusterNode;

beforeAll(async () => {
  collector = await TestCollector.start();
  // Of traces that begin at a node none is recorded.
  const flags = { otlp: collector.url, traceRatio: "0" };
  cluster = await startNodes(["cloud", "edge"], { flags });
  edge = cluster.nodes[1] as ClusterNode;
  const { functions } = edge.client;
  await functions.deploy("worker", zipFiles({ "index.mjs": WORKER }));
  await functions.deploy("away", zipFiles({ "index.mjs": AWAY }), {}, { data: "at:cloud" });
  await until("its data can be reached", async () => (await call("away", "")).status === 200);
});
afterAll(async () => {
  await cluster?.remove();
  await collector?.close();
});

function call(name: string, body: string, headers: Readonly<Record<string, string>> = {}) {
  return send(edge.functionsUrl, `/${name}`, {
    body,
    headers: { "content-type": "text/plain", ...headers },
  });
}

/** Calls it in a trace that is recorded, and returns the tree of that once the last span has come. */
async function traced(
  name: string,
  body: string,
  last: string | readonly string[],
  headers: Readonly<Record<string, string>> = {},
) {
  const traceId = randomBytes(16).toString("hex");
  const traceparent = `00-${traceId}-${CLIENT_SPAN}-01`;
  const answer = await call(name, body, { traceparent, ...headers });
  const spans = await collector.trace(traceId, [`POST /${name}`, ...[last].flat()]);
  return { traceId, answer, spans, tree: treeOf(spans) };
}

describe("a function", () => {
  test("finds the span of its invocation in its headers", async () => {
    const { traceId, answer, spans } = await traced("worker", "", "invoke worker");
    const spanId = spans.find(({ name }) => name === "invoke worker")?.spanId;
    expect(answer.text).toBe(`00-${traceId}-${spanId}-01`);
  });

  test("of a trace that is not recorded finds what its client has sent, and nothing is told of it", async () => {
    const traceId = randomBytes(16).toString("hex");
    const traceparent = `00-${traceId}-${CLIENT_SPAN}-00`;
    expect((await call("worker", "", { traceparent })).text).toBe(traceparent);
    // What was called later has been told of.
    await traced("worker", "", "invoke worker");
    expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  test.each(["nonsense", `00-${"0".repeat(32)}-${CLIENT_SPAN}-01`, `00-x-${CLIENT_SPAN}-01`])(
    "whose client sends %s belongs to a new trace, as if nothing had been sent",
    async (traceparent) => {
      const { text } = await call("worker", "", { traceparent });
      expect(text).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      expect((await call("worker", "")).text).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    },
  );
});

test("a call that is made later is a part of the request that asked for it", async () => {
  const prefer = { prefer: "respond-async" };
  const { tree, answer, spans } = await traced("worker", "", "invoke worker", prefer);
  expect(answer.status).toBe(202);
  expect(tree).toEqual([
    "edge: POST /worker",
    "  edge: deliver worker",
    "    edge: queue worker",
    "    edge: invoke worker",
  ]);
  const { attributes } = spans.find(({ name }) => name === "POST /worker") ?? {};
  expect(attributes).toMatchObject({ "http.response.status_code": 202 });
});

test("what is sent with a batch is a part of the batch", async () => {
  const { tree } = await traced("worker", "batch", "deliver worker");
  expect(tree.slice(0, 5)).toEqual([
    "edge: POST /worker",
    "  edge: queue worker",
    "  edge: invoke worker",
    "    edge: kv.batch",
    "      edge: deliver worker",
  ]);
});

test("operations on data that are elsewhere are there, too", async () => {
  const { tree, answer } = await traced("away", "", ["kv.set", "kv.set", "kv.get", "kv.get"]);
  expect(answer.text).toBe("value");
  expect(tree).toEqual([
    "edge: POST /away",
    "  edge: queue away",
    "  edge: invoke away",
    "    edge: kv.set",
    "      cloud: kv.set",
    "    edge: kv.get",
    "      cloud: kv.get",
  ]);
});

test.each([
  ["scan", ["kv.scan"]],
  ["update", ["kv.entry", "kv.set"]],
])("%s is %j", async (body, names) => {
  const { spans } = await traced("worker", body, names.at(-1) as string);
  expect(spans.map(({ name }) => name).filter((name) => name.startsWith("kv."))).toEqual(names);
});

test("what fails says with which code", async () => {
  const failed = { code: 2 };
  const thrown = await traced("worker", "throw", "invoke worker");
  const statuses = new Map(thrown.spans.map(({ name, status }) => [name, status]));
  expect(statuses.get("invoke worker")).toEqual({ ...failed, message: "ENOKI_FUNCTION_ERROR" });
  expect(statuses.get("POST /worker")).toEqual({ ...failed, message: "ENOKI_FUNCTION_ERROR" });
  expect(statuses.get("queue worker")).toBe(undefined);
  await traced("worker", "batch", "deliver worker");
  const { spans } = await traced("worker", "refused", "kv.set");
  const refused = spans.find(({ name }) => name === "kv.set")?.status;
  expect(refused).toEqual({ ...failed, message: "ENOKI_VERSION_CONFLICT" });
  const nobody = await traced("worker", "nobody", "call nobody");
  const called = nobody.spans.find(({ name }) => name === "call nobody")?.status;
  expect(called).toEqual({ ...failed, message: "ENOKI_FUNCTION_NOT_FOUND" });
});
