import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseKeygroupName } from "../../../dist/core/ids.js";
import { RecordedSpan } from "../../../dist/tracing/recorded-span.js";
import { TestCollector } from "../../helpers/collector.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { ChannelTap, type ChannelWork } from "../work/channel-tap.js";

const CALLS = 20;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CALLERS_DATA = parseKeygroupName("caller");
const CALLER = `
import { call as ask, kv } from "enoki";
export async function call() {
  await kv.set("key", await ask("callee"));
  return "";
}
`;

/** What calls of `caller` have made. */
interface Work {
  readonly spans: number;
  readonly frames: ChannelWork["frames"];
  /** Messages between the nodes, but for those that come by the clock: heartbeats, code, catching up. */
  readonly messages: number;
}

/** Two nodes: `caller` runs on the first and has its data on both, `callee` on the second. */
class TwoNodes {
  readonly #nodes: DistantNodes;
  readonly #edge: DistantNode;
  readonly #both: readonly DistantNode[];
  readonly #tap: ChannelTap;
  #messages = 0;

  private constructor(nodes: DistantNodes, edge: DistantNode, cloud: DistantNode) {
    this.#nodes = nodes;
    this.#edge = edge;
    this.#tap = new ChannelTap(edge.node.launcher);
    this.#both = [edge, cloud];
    for (const { node } of this.#both) this.#count(node);
  }

  static async start(otlp?: string): Promise<TwoNodes> {
    const nodes = await DistantNodes.open();
    const collector = otlp === undefined ? undefined : { url: `${otlp}/v1/traces`, headers: {} };
    const tracing = collector && { collector, ratio: 1, serviceName: undefined };
    const settings = tracing ? { tracing } : {};
    const edge = await nodes.start("edge", 0, settings);
    const cloud = await nodes.start("cloud", 0, settings);
    const two = new TwoNodes(nodes, edge, cloud);
    const callee = zipFiles({ "index.mjs": `export const call = () => "x";` });
    await cloud.client.functions.deploy("callee", callee);
    await edge.client.functions.deploy(
      "caller",
      zipFiles({ "index.mjs": CALLER }),
      {},
      { to: "all" },
    );
    await until("it can be called", async () => (await two.call()).status === 200);
    await two.#even();
    return two;
  }

  call(headers: Readonly<Record<string, string>> = {}) {
    return send(this.#edge.functionsUrl, "/caller", { body: "x", headers });
  }

  /** What one call after the other makes. */
  async work(headers: Readonly<Record<string, string>>): Promise<Work> {
    const before = { spans: RecordedSpan.madeTotal, messages: this.#messages };
    const { frames } = await this.#tap.during(async () => {
      for (let n = 0; n < CALLS; n++) expect((await this.call(headers)).status).toBe(200);
    });
    await this.#even();
    return {
      spans: RecordedSpan.madeTotal - before.spans,
      frames,
      messages: this.#messages - before.messages,
    };
  }

  /** Waits until each knows that the other has everything. */
  async #even(): Promise<void> {
    await until("each knows what the other has", () =>
      this.#both.every(({ node }) => isEven(node.replicatorOf(CALLERS_DATA))),
    );
  }

  remove(): Promise<void> {
    return this.#nodes.remove();
  }

  #count({ cluster }: DistantNode["node"]): void {
    const links = cluster?.links;
    if (!links) throw new Error("it stands alone");
    const send = links.send.bind(links);
    links.send = (to, lane, payload) => {
      if (lane === "update") this.#messages += 1;
      return send(to, lane, payload);
    };
  }
}

const EXPECTED_FRAMES = {
  invoke: CALLS,
  operation: 2 * CALLS,
  reply: 2 * CALLS,
  result: CALLS,
} as const;
/** The call and its answer, and the write to the other member. */
const EXPECTED_MESSAGES = 3 * CALLS;

function isEven(replicator: ReturnType<DistantNode["node"]["replicatorOf"]>): boolean {
  const { peers = [], isEverywhere = false } = replicator?.metrics() ?? {};
  return isEverywhere && peers.length === 1 && peers.every(({ isServing }) => isServing);
}

let off: TwoNodes;
afterAll(() => off?.remove());
beforeAll(async () => {
  off = await TwoNodes.start();
});

describe("a node that is not traced", () => {
  test.each([
    ["that names a trace to be recorded", { traceparent: TRACEPARENT }],
    ["that names none", {}],
  ])("makes no span and no message more for a call %s", async (_, headers) => {
    const work = await off.work(headers);
    expect(work.spans).toBe(0);
    expect(work.frames).toEqual(EXPECTED_FRAMES);
    expect(work.messages).toBe(EXPECTED_MESSAGES);
  });
});

describe("a node that is traced", () => {
  test("makes spans, and no more messages between nodes and instances, for traces that are recorded", async () => {
    const collector = await TestCollector.start();
    const on = await TwoNodes.start(collector.url);
    try {
      const work = await on.work({ traceparent: TRACEPARENT });
      expect(work.spans).toBeGreaterThanOrEqual(8 * CALLS);
      expect(work.frames).toEqual(EXPECTED_FRAMES);
      expect(work.messages).toBe(EXPECTED_MESSAGES);
      const unrecorded = await on.work({ traceparent: TRACEPARENT.replace(/01$/, "00") });
      expect(unrecorded.spans).toBe(0);
    } finally {
      await on.remove();
      await collector.close();
    }
  });
});
