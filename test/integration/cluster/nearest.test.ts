import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseKeygroupName, parseNodeName } from "../../../dist/core/ids.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles, type FunctionFiles } from "../../helpers/node-calls.js";

/**
 * The same function in each language: `time` says what one get took, and then `AT_ONCE` gets that were begun
 * together, in milliseconds; else it sets the key `k` to its input.
 */
const NODE = `import { kv } from "enoki";
export async function call(input) {
  if (input !== "time") return kv.set("k", input);
  const beganMs = performance.now();
  await kv.get("k");
  const oneMs = performance.now() - beganMs;
  const read = await Promise.all(Array.from({ length: 50 }, () => kv.get("k")));
  return { oneMs, manyMs: performance.now() - beganMs - oneMs, values: read };
}
`;
const AIO = `import asyncio, time
from kv import aio

async def call(value):
    if value != "time":
        return await aio.set("k", value)
    began = time.monotonic()
    await aio.get("k")
    one = time.monotonic() - began
    read = await asyncio.gather(*(aio.get("k") for _ in range(50)))
    many = time.monotonic() - began - one
    return {"oneMs": one * 1000, "manyMs": many * 1000, "values": read}
`;
const FUNCTIONS: Readonly<Record<string, FunctionFiles>> = {
  node: { "index.js": NODE },
  aio: { "fn.py": AIO },
};
const LANGUAGES = Object.keys(FUNCTIONS);
const AT_ONCE = 50;

/** Of the links to the members, one way. */
const NEAR_MS = 40;
const FAR_MS = 120;

interface Timing {
  readonly oneMs: number;
  readonly manyMs: number;
  readonly values: readonly string[];
}

let nodes: DistantNodes;
let near: DistantNode;
let far: DistantNode;
let edge: DistantNode;

/** `far` and `near` have the data, in whichever order their names and their joins are; `edge` runs the functions. */
beforeAll(async () => {
  nodes = await DistantNodes.open();
  far = await nodes.start("a-far", FAR_MS);
  near = await nodes.start("near", NEAR_MS);
  // It takes no links, so that the way to each member is that member's own.
  edge = await nodes.start("edge", 0, { onlyDials: true });
  for (const name of LANGUAGES) {
    for (const { client } of [far, near, edge]) {
      await client.functions.deploy(name, zipFiles(FUNCTIONS[name] as FunctionFiles), {});
    }
    const keygroup = parseKeygroupName(name);
    await edge.node.cluster?.directory.control.removeMember(keygroup, parseNodeName("edge"));
    await until("edge has given it up", () => edge.node.members?.get(keygroup) === undefined);
  }
});
afterAll(() => nodes?.remove());

async function call(name: string, body: string): Promise<string> {
  const { status, text } = await send(edge.functionsUrl, `/${name}`, { body });
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return text;
}

/** Has the function write, and says which member did it. */
async function writtenAt(name: string): Promise<string | null | undefined> {
  const value = `at ${performance.now()}`;
  await call(name, value);
  const kv = near.client.kv(name);
  await until("it is there", async () => (await kv.get("k")) === value);
  return (await kv.explain("k")).versions[0]?.node;
}

async function timed(name: string): Promise<Timing> {
  return JSON.parse(await call(name, "time")) as Timing;
}

describe.each(LANGUAGES)("operations of a function (%s) whose data are elsewhere", (name) => {
  test("go to the member that is nearest", async () => {
    await until("the ways are measured", async () => (await writtenAt(name)) === "near");
    for (let n = 0; n < 5; n++) expect(await writtenAt(name)).toBe("near");
    const { oneMs } = await timed(name);
    expect(oneMs).toBeGreaterThanOrEqual(2 * NEAR_MS - 5);
    expect(oneMs).toBeLessThan(2 * FAR_MS - 5);
  });

  test("are sent one behind the other: many at once take about as long as one", async () => {
    const { oneMs, manyMs, values } = await timed(name);
    expect(values).toHaveLength(AT_ONCE);
    expect(new Set(values).size).toBe(1);
    expect(manyMs).toBeGreaterThanOrEqual(2 * NEAR_MS - 5);
    expect(manyMs).toBeLessThan(5 * oneMs);
  });
});

test("without the nearest member they go to the next one, and back once it is there again", async () => {
  near.proxy.cut();
  await until("they go to the other one", async () => {
    return (await writtenAt("node").catch(() => undefined)) === "a-far";
  });
  const { oneMs, manyMs } = await timed("node");
  expect(oneMs).toBeGreaterThanOrEqual(2 * FAR_MS - 5);
  expect(manyMs).toBeLessThan(5 * oneMs);
  near.proxy.heal();
  await until("they come back", async () => (await writtenAt("node")) === "near");
});
