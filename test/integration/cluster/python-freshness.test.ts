import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseKeygroupName, parseNodeName } from "../../../dist/core/ids.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles, type Answer } from "../../helpers/node-calls.js";

const CLIENT_DIR = join(import.meta.dirname, "../../../clients/python");

/** The same with `kv` and `kv.aio`: reads in each of the ways that take how fresh it has to be. */
const PLAIN = `
import kv
def call(data):
    if isinstance(data, str):
        kv.set("a", data)
        return "set"
    verb, fresh = data["verb"], data["fresh"]
    if verb == "get": return kv.get("a", "missing", **fresh)
    if verb == "entry": return kv.entry("a", **fresh).value
    if verb == "exists": return kv.exists("a", **fresh)
    if verb == "get_many": return kv.get_many(["a", "b"], **fresh)
    if verb == "keys": return list(kv.keys(prefix="a", **fresh))
    return [list(pair) for pair in kv.scan(prefix="a", **fresh)]
`;
const AIO = `
import kv
from kv import aio
async def call(data):
    if isinstance(data, str):
        await aio.set("a", data)
        return "set"
    verb, fresh = data["verb"], data["fresh"]
    if verb == "get": return await aio.get("a", "missing", **fresh)
    if verb == "entry": return (await aio.entry("a", **fresh)).value
    if verb == "exists": return await aio.exists("a", **fresh)
    if verb == "get_many": return await aio.get_many(["a", "b"], **fresh)
    if verb == "keys": return [key async for key in aio.keys(prefix="a", **fresh)]
    return [list(pair) async for pair in aio.scan(prefix="a", **fresh)]
`;
/** Reads in all of these ways, and says of each what it gets or with which code it is refused. */
const CLIENT = `
import json, sys
from enoki_client import connect, EnokiError
kv = connect(sys.argv[1]).kv("plain")
reads = {
    "get": lambda **fresh: kv.get("a", "missing", **fresh),
    "entry": lambda **fresh: kv.entry("a", **fresh).value,
    "exists": lambda **fresh: kv.exists("a", **fresh),
    "get_many": lambda **fresh: kv.get_many(["a", "b"], **fresh),
    "keys": lambda **fresh: list(kv.keys(prefix="a", **fresh)),
    "scan": lambda **fresh: [list(pair) for pair in kv.scan(prefix="a", **fresh)],
}
def said(read, fresh):
    try:
        return read(**fresh)
    except EnokiError as error:
        return error.code
print(json.dumps({verb: [said(read, fresh) for fresh in json.loads(sys.argv[2])] for verb, read in reads.items()}))
`;
const SAID: Readonly<Record<string, unknown>> = {
  get: "1",
  entry: "1",
  exists: true,
  get_many: { a: "1" },
  keys: ["a"],
  scan: [["a", "1"]],
};
const VERBS = Object.keys(SAID);
const FUNCTIONS = { plain: PLAIN, aio: AIO } as const;
type Fresh = Readonly<Record<string, string>>;

let nodes: DistantNodes;
let cloud: DistantNode;
let far: DistantNode;
let edge: DistantNode;

/** Keygroups on `cloud` and `far`, a link of 200 ms apart; `edge` runs the functions and has no data. */
beforeAll(async () => {
  nodes = await DistantNodes.open();
  cloud = await nodes.start("cloud", 200);
  edge = await nodes.start("edge");
  far = await nodes.start("far", 200);
  await Promise.all(Object.entries(FUNCTIONS).map(([name, code]) => deploy(name, code)));
});
afterAll(() => nodes?.remove());

async function deploy(name: string, code: string): Promise<void> {
  for (const { client } of [cloud, edge, far]) {
    await client.functions.deploy(name, zipFiles({ "fn.py": code }), {});
  }
  const keygroup = parseKeygroupName(name);
  await edge.node.cluster?.directory.control.removeMember(keygroup, parseNodeName("edge"));
  await until("edge has given it up", () => edge.node.members?.get(keygroup) === undefined);
  await until("it is written", async () => (await call(edge, name, "1")).status === 200);
  for (const node of [cloud, far]) {
    await until("all have it", async () => (await read(node, name, "get", {})).text === "1");
  }
}

function call({ functionsUrl }: DistantNode, name: string, body: string): Promise<Answer> {
  return send(functionsUrl, `/${name}`, { body });
}

function read(node: DistantNode, name: string, verb: string, fresh: Fresh): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  return send(node.functionsUrl, `/${name}`, { body: JSON.stringify({ verb, fresh }), headers });
}

function shown({ text }: Answer, verb: string): unknown {
  return verb === "get" || verb === "entry" ? text : (JSON.parse(text) as unknown);
}

describe.each(Object.keys(FUNCTIONS))("a read of Python (%s) that has to be fresh", (name) => {
  test.each(VERBS)("%s fails at once, is served, or is fresh enough, as it says", async (verb) => {
    const begunMs = performance.now();
    const stale = await read(cloud, name, verb, { max_staleness: "150ms", on_stale: "fail" });
    expect(stale).toMatchObject({ status: 500 });
    expect(stale.text).toContain("at most 150 ms were asked for");
    // Not after the time for which others wait.
    expect(performance.now() - begunMs).toBeLessThan(5000);
    const served = await read(cloud, name, verb, { max_staleness: "150ms", on_stale: "serve" });
    expect([served.status, shown(served, verb)]).toEqual([200, SAID[verb]]);
    expect(Number(served.headers["enoki-staleness-ms"])).toBeGreaterThan(150);
    const waited = await read(cloud, name, verb, { max_staleness: "1h" });
    expect([waited.status, shown(waited, verb)]).toEqual([200, SAID[verb]]);
  });

  test("waits in vain for as long as it says, and asks another replica", async () => {
    for (const node of [cloud, edge]) {
      const begunMs = performance.now();
      const fresh = { max_staleness: "150ms", on_stale: "wait", within: "700ms" };
      const vain = await read(node, name, "get", fresh);
      expect(vain).toMatchObject({ status: 500 });
      expect(vain.text).toContain("at most 150 ms were asked for");
      expect(performance.now() - begunMs).toBeGreaterThan(690);
    }
    // The link takes longer than what is asked for: another replica cannot say it either.
    const fresh = { max_staleness: "150ms", on_stale: "peer", within: "700ms" };
    expect(await read(edge, name, "get", fresh)).toMatchObject({ status: 500 });
    for (const node of [cloud, edge]) {
      const answer = await read(node, name, "get", { max_staleness: "1h", on_stale: "peer" });
      expect([answer.status, answer.text]).toEqual([200, "1"]);
    }
  });

  test("refuses what is no such option", async () => {
    for (const fresh of [{ on_stale: "perhaps" }, { within: "soon" }, { max_staleness: "1" }]) {
      const answer = await read(cloud, name, "get", { max_staleness: "1h", ...fresh });
      expect(answer).toMatchObject({ status: 500 });
    }
  });
});

test("a read of the Python client fails, is served, waits in vain or asks another replica", async () => {
  const fresh: readonly Fresh[] = [
    { max_staleness: "1ms", on_stale: "fail" },
    { max_staleness: "1ms", on_stale: "serve" },
    { max_staleness: "1ms", on_stale: "wait", within: "50ms" },
    { max_staleness: "1ms", on_stale: "peer", within: "50ms" },
    { max_staleness: "1h" },
  ];
  const env = { ...process.env, PYTHONPATH: CLIENT_DIR, PYTHONDONTWRITEBYTECODE: "1" };
  const args = ["-c", CLIENT, cloud.adminUrl, JSON.stringify(fresh)];
  const { stdout } = await promisify(execFile)("python3", args, { env });
  const refused = "ENOKI_STALE";
  const expected = Object.entries(SAID).map(([verb, value]) => [
    verb,
    [refused, value, refused, refused, value],
  ]);
  expect(JSON.parse(stdout)).toEqual(Object.fromEntries(expected));
});
