import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OPERATION } from "../../../src/channel/frames.js";
import { TAG, type TypedValue } from "../../../src/core/value.js";
import type { Keygroup } from "../../../src/keygroups/keygroup.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";
import { openTestKeygroup } from "../../helpers/memory-keygroup.js";

/** Programs that run statements and return what they leave in `out`. */
const PLAIN = `
import json, os, kv
def call(i):
    names = {"kv": kv, "os": os, "out": []}
    exec(i, names)
    return json.dumps(names["out"], default=bytes.hex)
`;
const ASYNC = `
import asyncio, json, textwrap
from kv import aio as kv
async def call(i):
    names = {"kv": kv, "asyncio": asyncio, "out": []}
    exec("async def run():\\n    global out\\n" + textwrap.indent(i, "    "), names)
    await names["run"]()
    return json.dumps(names["out"], default=bytes.hex)
`;
const PROTOTYPE = PLAIN.replace("def call", "def fn");

const str = (text: string): TypedValue => ({ tag: TAG.str, bytes: Buffer.from(text) });
const json = (value: unknown): TypedValue => ({
  tag: TAG.json,
  bytes: Buffer.from(JSON.stringify(value)),
});
const WRITER = Buffer.alloc(16, 0xa1);

let dir: string;
let keygroup: Keygroup;
let guest: PythonGuest;

beforeEach(async () => {
  if (!PYTHON) return;
  dir = await mkdtemp(join(tmpdir(), "enoki-direct-"));
  const storage = await createLmdbDriver({ dir }).open("kg");
  ({ keygroup } = await openTestKeygroup({ storage }));
  guest = new PythonGuest();
});
afterEach(async () => {
  if (!PYTHON) return;
  await guest.close();
  await keygroup.close();
  await rm(dir, { recursive: true, force: true });
});

/** Loads a program that knows the store. What it asks of the node is answered by an empty keygroup. */
const load = (source: string, runtime = "python") =>
  guest.loadSource(source, { runtime, store: join(dir, "kg", "data.mdb") });

async function run(program: string): Promise<unknown> {
  const { text, failed } = await guest.call(program);
  expect(failed?.traceback).toBeUndefined();
  return JSON.parse(text as string);
}

async function set(values: Readonly<Record<string, TypedValue>>, writer?: Buffer): Promise<void> {
  const writes = Object.entries(values).map(([key, value]) => ({ op: "set", key, value }) as const);
  await keygroup.write({ writes, ...(writer && { writer }) });
}

const asked = () => guest.keygroup.seen.map(({ kind }) => kind);

describe.skipIf(!PYTHON)(`direct reads of Python's kv (${PYTHON_MISSING})`, () => {
  // Short and long ones take different ways through the decoder; functions leave the id of their call in the row.
  test.each(
    [1, 10, 63, 64, 127, 128, 129, 500, 4000, 20_000, 1_500_000].flatMap((sizeBytes) => [
      [sizeBytes, "a function", WRITER] as const,
      [sizeBytes, "somebody else", undefined] as const,
    ]),
  )("give values of %i bytes as %s wrote them", async (sizeBytes, _who, writer) => {
    await load(PLAIN);
    const text = "é".padEnd(sizeBytes - 1, "x");
    const key = `ké${"y".repeat(Math.min(sizeBytes, 1000))}`;
    const values = {
      [`${key}-bytes`]: { tag: TAG.bytes, bytes: Buffer.alloc(sizeBytes, 200) },
      [`${key}-json`]: json([text]),
      [`${key}-str`]: str(text),
    };
    for (const [name, value] of Object.entries(values)) await set({ [name]: value }, writer);
    const expected = [Buffer.alloc(sizeBytes, 200).toString("hex"), [text], text];
    const outcome = await run(`
key, size = ${JSON.stringify(key)}, ${sizeBytes}
names = [key + "-bytes", key + "-json", key + "-str"]
text = "é" + "x" * (size - 2)
expected = [b"\\xc8" * size, [text], text]
pairs = list(zip(names, expected))
out = [[kv.get(name) for name in names] == expected, [kv.exists(name) for name in names], kv.get_many(names + ["no"]) == dict(pairs),
    list(kv.scan(prefix="k")) == pairs, list(kv.scan(reverse=True)) == pairs[::-1], list(kv.keys()) == names,
    list(kv.scan(limit=2)) == pairs[:2], kv.get("no", 5), kv.exists("no")] if size > 1 else [kv.get(names[0]).hex()]`);
    expect(outcome).toEqual(
      sizeBytes > 1
        ? [true, [true, true, true], true, true, true, true, true, 5, false]
        : [expected[0]],
    );
    // Three values of 1.5 MB are more than a page of a scan, which then has several.
    expect(asked()).toEqual([]);
  });

  test("show in a scan that comes again what is new, and share nothing that can be changed", async () => {
    await load(PLAIN);
    await set({ a: str("1"), b: json({ n: 1 }), c: json(2.5), large: str("l".repeat(5000)) });
    const program = `
first = list(kv.scan())
first[1][1]["n"] = "mine"
out = [[k, v if k != "large" else len(v)] for k, v in kv.scan()] + list(kv.keys())`;
    const names = ["a", "b", "c", "large"];
    const rest = [
      ["b", { n: 1 }],
      ["c", 2.5],
      ["large", 5000],
    ];
    expect(await run(program)).toEqual([["a", "1"], ...rest, ...names]);
    await set({ a: str("2") });
    expect(await run(program)).toEqual([["a", "2"], ...rest, ...names]);
    expect(asked()).toEqual([]);
  });

  test("keep few of the rows of scans", async () => {
    await load(PLAIN);
    const values = Object.fromEntries(
      Array.from({ length: 600 }, (_, i) => [`k${i}`, str(`${i}`)]),
    );
    await set(values);
    const program = `
from enoki_kv.direct_reads import reads
all = dict(kv.scan())
out = [all == {f"k{i}": str(i) for i in range(600)}, all == dict(kv.scan()), 0 < len(reads._pairs) <= 512]`;
    expect(await run(program)).toEqual([true, true, true]);
  });

  test("leave to the node what takes a clock or a merge, for a scan the whole page", async () => {
    await load(PLAIN);
    await set({ plain: str("plain"), gone: str("x") });
    await keygroup.write({
      writes: [
        { op: "set", key: "short", value: str("x"), ttlMs: 3_600_000 },
        { op: "delete", key: "gone" },
      ],
    });
    await run(`
kv.get("short"); kv.get("gone"); kv.exists("short"); kv.get_many(["plain", "short"]); list(kv.scan()); list(kv.keys("q"))
# These meet plain values only.
out = [kv.get("plain"), kv.get_many(["plain"]), list(kv.scan("h", "q"))]`);
    expect(asked()).toEqual([
      OPERATION.get,
      OPERATION.get,
      OPERATION.exists,
      OPERATION.getMany,
      OPERATION.scan,
      OPERATION.scan,
    ]);
  });

  test("of kv.aio answer at once, but let the event loop turn after 256 in a row", async () => {
    await load(ASYNC);
    await set({ k: str("v"), l: json([1]) });
    const outcome = await run(`
out += [await kv.get("k"), await kv.exists("l"), await kv.get_many(["k", "l", "no"]),
    [pair async for pair in kv.scan()], [key async for key in kv.keys("l")]]
turns = []
asyncio.get_running_loop().call_soon(turns.append, 1)
for _ in range(251): await kv.get("k")
out.append(len(turns))
await kv.get("k")
out.append(len(turns))`);
    expect(outcome).toEqual([
      "v",
      true,
      { k: "v", l: [1] },
      [
        ["k", "v"],
        ["l", [1]],
      ],
      ["l"],
      0,
      1,
    ]);
    expect(asked()).toEqual([OPERATION.get]);
  });

  test("serve the prototype's read and scan", async () => {
    await load(PROTOTYPE, "python3-kv");
    await set({ a: str("1"), b: json({ n: 1 }), c: { tag: TAG.bytes, bytes: Buffer.from("3") } });
    const outcome = await run(`
out = [kv.read("a"), kv.read("b"), kv.scan("a", 2), kv.scan("b", 9)]
try: kv.read("none")
except kv.Error as error: out.append(error.code)`);
    expect(outcome).toEqual([
      ["1"],
      ['{"n": 1}'],
      ["1", '{"n": 1}'],
      ['{"n": 1}', "3"],
      "ENOKI_KEY_NOT_FOUND",
    ]);
    expect(asked()).toEqual([]);
  });

  test("may begin in the middle of another one, as in a signal's handler: the node is asked", async () => {
    await load(PLAIN);
    await set({ k: str("v") });
    const outcome = await run(`
import sys
def between(frame, event, _):
    if event == "call" and frame.f_code.co_name == "lower_bound":
        sys.setprofile(None)
        out.append(kv.get("k", "asked"))
sys.setprofile(between)
out.append(kv.get("k"))
out.append(kv.get("k"))`);
    expect(outcome).toEqual(["asked", "v", "v"]);
    expect(asked()).toEqual([OPERATION.get]);
  });

  test("are the parent's only: a forked child has no store, as it has no channel", async () => {
    await load(PLAIN);
    await set({ k: str("v") });
    const outcome = await run(`
out.append(kv.get("k"))
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    try: kv.get("k")
    except RuntimeError as error: os.write(writing, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
out += [os.read(reading, 1000).decode(), kv.get("k")]`);
    expect(outcome).toEqual(["v", expect.stringContaining("no channel"), "v"]);
  });

  test("end with a store that cannot be read: the node is asked from then on", async () => {
    await guest.loadSource(PLAIN, { store: join(dir, "none", "data.mdb") });
    expect(await run(`out = [kv.get("k", 1), kv.exists("k")]`)).toEqual([1, false]);
    expect(asked()).toEqual([OPERATION.get, OPERATION.exists]);
  });
});
