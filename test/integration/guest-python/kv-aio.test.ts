import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeKeygroup } from "../../helpers/fake-keygroup.js";
import { PYTHON, PYTHON_MISSING } from "../../helpers/fake-node-python.js";
import { PythonRunner } from "../../helpers/python-runner.js";

let guest: PythonRunner;

beforeAll(async () => {
  if (PYTHON) guest = await PythonRunner.start("async");
});

beforeEach(() => {
  if (PYTHON) guest.keygroup = new FakeKeygroup();
});

afterAll(async () => {
  if (PYTHON) await guest.close();
});

describe.skipIf(!PYTHON)(`Python's kv.aio (${PYTHON_MISSING})`, () => {
  it("has every name of kv", async () => {
    expect(
      await guest.run(
        "out.extend(n for n in plain.__all__ if n[0].islower() and n != 'aio' and not hasattr(kv, n))",
      ),
    ).toEqual([]);
  });

  it("does the same, awaited", async () => {
    const out = await guest.run(
      `
v = await kv.set(key="k", val={"a": 1})
e = await kv.entry("k")
out += [await kv.get("k"), await kv.get("x"), e.version == v, await kv.exists("k"), await kv.delete("k")]
for n in range(25): await kv.set(f"k{n:02}", n)
out += [[k async for k in kv.keys("k03", limit=12)] == [f"k{n:02}" for n in range(3, 15)],
    len([p async for p in kv.scan(prefix="k", reverse=True)]), len(await kv.get_many(["k01", "k02", "no"]))]
async def slow(v):
    await asyncio.sleep(0)
    return v + 1
out += [await kv.update("k00", lambda v: v + 1), await kv.update("k00", slow), await kv.update("k01", lambda v: kv.DELETE)]
out += [await kv.increment("n"), await kv.counter("n").add(2), (await kv.batch().set("b", 1).commit()).repeated]
out += [len(await kv.siblings("k")), kv.keygroup("fn") is kv]
await kv.set_of("s").add(1)
await kv.map("m").set("f", 1)
try: await kv.set("k", (1,))
except kv.Error as error: out.append(error.code)`,
    );
    expect(out).toEqual([
      { a: 1 },
      "",
      true,
      true,
      true,
      true,
      25,
      2,
      1,
      2,
      null,
      1,
      3,
      false,
      3,
      true,
      "ENOKI_VALUE_UNSUPPORTED",
    ]);
  });

  it("loses no update of 20 tasks on one key", async () => {
    const program = `
async def add():
    return await kv.update("k", lambda v: (v or 0) + 1)
out.extend(sorted(await asyncio.gather(*[add() for _ in range(20)])))`;
    expect(await guest.run(program)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });

  it("iterates over the events of a watch", async () => {
    const outcome = guest.run(
      `
events = kv.watch("a")
async for event in events:
    out.append(event.value)
    if len(out) == 2: break
await events.aclose()`,
    );
    await guest.until(() => guest.keygroup.watches.size === 1);
    const [id] = [...guest.keygroup.watches.keys()] as [number];
    guest.event(id, { key: "a", value: { t: "str", v: "1" }, version: "v1" });
    guest.event(id, { key: "a", value: { t: "str", v: "2" }, version: "v2" });
    expect(await outcome).toEqual(["1", "2"]);
    expect(guest.keygroup.watches.size).toBe(0);
  });
});
