import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Links } from "../../../src/ports/links.js";
import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { until, zipFiles } from "../../helpers/node-calls.js";
import type { RunningNode } from "../../helpers/running-node.js";
import { ChannelTap } from "./channel-tap.js";
import { submitCall } from "./submit-call.js";

const CALLS = 20;
const ONE_INSTANCE = { maxInstances: 1 };
const CALLER = `
import * as enoki from "enoki";
export async function call(input) { const [verb, name] = input.split(" "); await enoki[verb](name, "x"); return ""; }
`;
const NOTHING = `export const call = () => "";`;

let nodes: DistantNodes;
let edge: DistantNode;
let cloud: DistantNode;
let tap: ChannelTap;

beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  tap = new ChannelTap(edge.node.launcher);
  await edge.client.functions.deploy("caller", zipFiles({ "index.mjs": CALLER }), ONE_INSTANCE);
  await edge.client.functions.deploy("here", zipFiles({ "index.mjs": NOTHING }), ONE_INSTANCE);
  await cloud.client.functions.deploy("there", zipFiles({ "index.mjs": NOTHING }), ONE_INSTANCE);
  await until("edge knows of it", () => ask("call there").catch(() => undefined));
});
afterAll(() => nodes?.remove());

const ask = (input: string) => submitCall(edge as unknown as RunningNode, "caller", input);

const commitsOf = ({ node }: DistantNode, name: string): number =>
  node.keygroups.list().find((keygroup) => keygroup.name === name)?.work.commitsTotal ?? 0;

/** Counts messages about requests that the node hands to its links while `work` is done. */
async function messagesOf({ node }: DistantNode, work: () => Promise<void>): Promise<number> {
  const links = node.cluster?.links as unknown as Links;
  const send = links.send.bind(links);
  let messages = 0;
  links.send = (to, lane, payload) => {
    // Heartbeats and updates of keygroups begin with the length of a name.
    if (payload[0] === 0x80) messages += 1;
    return send(to, lane, payload);
  };
  await work();
  links.send = send;
  return messages;
}

async function inTurn(input: string): Promise<void> {
  for (let n = 0; n < CALLS; n++) await ask(input);
}

const hasEnded = (total: number) =>
  until("all has ended", async () => {
    const { invocations } = edge.client;
    const done = await invocations.list({ state: "done" });
    return done.length >= total;
  });

describe("a call of another function", () => {
  test("on the node is two frames to the callee, two more to the caller, and no commit", async () => {
    const before = commitsOf(edge, "caller") + commitsOf(edge, "here");
    const messages = await messagesOf(edge, async () => {
      const work = await tap.during(() => inTurn("call here"));
      expect(work.frames).toEqual({
        invoke: 2 * CALLS,
        operation: CALLS,
        reply: CALLS,
        result: 2 * CALLS,
      });
      expect(work.writes).toBe(3 * CALLS);
    });
    expect(messages).toBe(0);
    expect(commitsOf(edge, "caller") + commitsOf(edge, "here")).toBe(before);
  });

  test("on another node is one message there and one back, and no commit", async () => {
    const before = commitsOf(edge, "caller") + commitsOf(cloud, "there");
    let back = 0;
    const messages = await messagesOf(edge, async () => {
      back = await messagesOf(cloud, () => inTurn("call there"));
    });
    expect([messages, back]).toEqual([CALLS, CALLS]);
    expect(commitsOf(edge, "caller") + commitsOf(cloud, "there")).toBe(before);
  });
});

describe("a send to another function", () => {
  test("on the node is two commits where it was sent: accepted and ended", async () => {
    const before = [commitsOf(edge, "caller"), commitsOf(edge, "here")];
    for (let n = 1; n <= 5; n++) {
      await ask("send here");
      await hasEnded(n);
    }
    expect(commitsOf(edge, "caller")).toBe((before[0] as number) + 10);
    expect(commitsOf(edge, "here")).toBe(before[1]);
  });

  test("on another node is one message there and one back, and one more commit there", async () => {
    const before = [commitsOf(edge, "caller"), commitsOf(cloud, "there")];
    let back = 0;
    const messages = await messagesOf(edge, async () => {
      back = await messagesOf(cloud, async () => {
        for (let n = 1; n <= 5; n++) {
          await ask("send there");
          await hasEnded(5 + n);
        }
      });
    });
    expect([messages, back]).toEqual([5, 5]);
    expect(commitsOf(edge, "caller")).toBe((before[0] as number) + 10);
    expect(commitsOf(cloud, "there")).toBe((before[1] as number) + 5);
  });
});
