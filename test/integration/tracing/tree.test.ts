import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { TestCollector, treeOf, type CollectedSpan } from "../../helpers/collector.js";
import { eventually } from "../../helpers/eventually.js";
import { send, zipFiles, type FunctionFiles } from "../../helpers/node-calls.js";
import { startNodes, type RunningCluster } from "../../helpers/running-cluster.js";

const CLIENT_SPAN = "b7ad6b7169203331";
const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

/** Reads, writes, calls and sends, on the edge; what it calls runs in the cloud and writes there. */
const CALLERS: Readonly<Record<string, FunctionFiles>> = {
  node: {
    "index.mjs": `
import { call as ask, kv, send } from "enoki";
export async function call(input) {
  await kv.get("before");
  const answer = await ask("callee", input);
  await kv.set("answer", answer);
  await send("later", "hi");
  return answer;
}
`,
  },
  python: {
    "fn.py": `
import enoki
import kv

def call(i):
    kv.get("before")
    answer = enoki.call("callee", i)
    kv.set("answer", answer)
    enoki.send("later", "hi")
    return answer
`,
  },
};

let collector: TestCollector;
let cluster: RunningCluster;

beforeAll(async () => {
  collector = await TestCollector.start();
  cluster = await startNodes(["cloud", "edge"], { flags: { otlp: collector.url } });
  const [cloud, edge] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  const callee = `import { kv } from "enoki";
export async function call(text) { await kv.set("text", text); return text.length; }`;
  await cloud.client.functions.deploy("callee", zipFiles({ "index.mjs": callee }));
  const later = `export const call = () => "";`;
  await edge.client.functions.deploy("later", zipFiles({ "index.mjs": later }));
  for (const [name, files] of Object.entries(CALLERS)) {
    // Its data are on both nodes.
    await edge.client.functions.deploy(name, zipFiles(files), {}, { to: "all" });
    await eventually(async () => {
      // What is written before comes to the other node as it joins, which is no part of a trace.
      for (const { client } of cluster.nodes) {
        const { replicas } = await client.keygroups.replicas(name);
        expect(replicas.map(({ state }) => state)).toEqual(["serving", "serving"]);
      }
    });
  }
});
afterAll(async () => {
  await cluster?.remove();
  await collector?.close();
});

/** What a call of `caller` is made of, on both nodes. */
const treeOfCall = (caller: string): readonly string[] => [
  `edge: POST /${caller}`,
  `  edge: queue ${caller}`,
  `  edge: invoke ${caller}`,
  "    edge: kv.get",
  "    edge: call callee",
  "      edge: link cloud",
  "        cloud: queue callee",
  "        cloud: invoke callee",
  "          cloud: kv.set",
  "    edge: kv.set",
  `      cloud: replicate ${caller}`,
  "    edge: send later",
  "      edge: deliver later",
  "        edge: queue later",
  "        edge: invoke later",
];

describe.each(Object.keys(CALLERS))("a call of a function in %s", (caller) => {
  test("is one tree of spans over both nodes", async () => {
    const { traceId, answer } = await ask(caller);
    expect(answer).toMatchObject({ status: 200, text: "5" });
    const expected = treeOfCall(caller);
    const spans = await collector.trace(traceId, expected.map(nameIn));
    expect(treeOf(spans)).toEqual(expected);
  });

  test("says of each span what it was, and how long", async () => {
    const { traceId, answer } = await ask(caller);
    const spans = await collector.trace(traceId, treeOfCall(caller).map(nameIn));
    const of = (name: string) => spans.find((span) => span.name === name) as CollectedSpan;
    const id = answer.headers["enoki-invocation-id"];
    expect(of(`POST /${caller}`)).toMatchObject({
      parentSpanId: CLIENT_SPAN,
      kind: KIND.server,
      attributes: {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": `/${caller}`,
        "url.path": `/${caller}/path`,
        "network.protocol.name": "http",
        "enoki.invocation_id": id,
      },
    });
    expect(of(`invoke ${caller}`)).toMatchObject({
      kind: KIND.internal,
      attributes: { "faas.name": caller, "faas.invocation_id": id, "faas.coldstart": false },
    });
    expect(of("call callee").attributes).toMatchObject({ "faas.invoked_name": "callee" });
    expect(of("call callee").kind).toBe(KIND.client);
    expect(of("link cloud").attributes).toMatchObject({ "enoki.peer": "cloud" });
    expect(of("invoke callee").kind).toBe(KIND.server);
    expect(of("kv.set").attributes).toMatchObject({ "db.operation.name": "set" });
    expect(of("send later").kind).toBe(KIND.producer);
    expect(of("deliver later").kind).toBe(KIND.consumer);
    expect(of("deliver later").attributes).toMatchObject({
      "messaging.message.id": of("send later").attributes["messaging.message.id"],
      "enoki.try": 1,
    });
    expect(of(`replicate ${caller}`).attributes).toMatchObject({ "enoki.peer": "edge" });
    for (const span of spans) {
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
      expect(
        Math.abs(Number(BigInt(span.startTimeUnixNano) / 1_000_000n) - Date.now()),
      ).toBeLessThan(60_000);
    }
    for (const [inner, outer] of [
      [`invoke ${caller}`, `POST /${caller}`],
      ["call callee", `invoke ${caller}`],
      ["link cloud", "call callee"],
      ["invoke callee", "link cloud"],
    ] as const) {
      expect(BigInt(of(inner).startTimeUnixNano)).toBeGreaterThanOrEqual(
        BigInt(of(outer).startTimeUnixNano),
      );
      expect(BigInt(of(inner).endTimeUnixNano)).toBeLessThanOrEqual(
        BigInt(of(outer).endTimeUnixNano),
      );
    }
  });
});

async function ask(caller: string) {
  const traceId = randomBytes(16).toString("hex");
  const { functionsUrl } = cluster.nodes.find(({ name }) => name === "edge") ?? {};
  const headers = { traceparent: `00-${traceId}-${CLIENT_SPAN}-01` };
  const answer = await send(functionsUrl ?? "", `/${caller}/path`, { body: "hello", headers });
  return { traceId, answer };
}

/** The name of a span in a line of {@link treeOf}. */
function nameIn(line: string): string {
  return line.slice(line.indexOf(": ") + 2);
}
