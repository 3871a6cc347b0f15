import { afterEach, describe, expect, it } from "vitest";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

let guest: PythonGuest;

async function load(source: string): Promise<void> {
  guest = new PythonGuest();
  const loaded = await guest.loadSource(source);
  expect(loaded, JSON.stringify(loaded)).toHaveProperty("concurrency");
}

afterEach(() => guest.close());

describe.skipIf(!PYTHON)(`an async Python function (${PYTHON_MISSING})`, () => {
  it("runs 64 calls at once, all waiting for each other", async () => {
    await load(`
import asyncio
arrived = []
everyone = asyncio.Event()
async def call(i, ctx):
    arrived.append(i)
    if len(arrived) == 64: everyone.set()
    await everyone.wait()
    return i
`);
    expect(guest.loaded).toEqual({ concurrency: 64 });
    const bodies = Array.from({ length: 64 }, (_, n) => String(n));
    const outcomes = await Promise.all(bodies.map((body) => guest.call(body)));
    expect(outcomes.map(({ text }) => text)).toEqual(bodies);
  });

  it("marks the operations of concurrent calls with their calls, awaited or not", async () => {
    await load(`
import asyncio, kv
async def call(i):
    await kv.aio.set("a" + i, "1")
    kv.set("b" + i, "2")
    await asyncio.to_thread(kv.set, "c" + i, "3")
    return await kv.aio.get("a" + i) + kv.get("b" + i) + await asyncio.to_thread(kv.get, "c" + i)
`);
    const outcomes = await Promise.all(["x", "y", "z"].map((body) => guest.call(body)));
    expect(outcomes.map(({ text }) => text)).toEqual(["123", "123", "123"]);
    const perCall = [1, 2, 3].map(
      (id) => guest.keygroup.seen.filter((op) => op.callId === id).length,
    );
    expect(perCall).toEqual([6, 6, 6]);
  });

  it("writes the answers and operations of one turn at once", async () => {
    await load(`
import asyncio, kv
go = asyncio.Event()
n = 0
async def call(i):
    global n
    n += 1
    if n == 20: go.set()
    await go.wait()
    await kv.aio.get(i)
    return i
`);
    const calls = Array.from({ length: 20 }, (_, n) => guest.begin({ body: String(n + 1) }));
    const readsBefore = guest.readsTotal;
    await Promise.all(calls.map(({ outcome }) => outcome));
    expect(guest.keygroup.seen).toHaveLength(20);
    // One read with all operations and one with all answers, if the system does not split them.
    expect(guest.readsTotal - readsBefore).toBeLessThan(10);
  });

  it("takes a plain kv operation on the loop while other calls come in", async () => {
    await load("import kv\nasync def call(i): return kv.get('k', i)");
    guest.holdOperations = true;
    const first = guest.begin({ body: "1" });
    await guest.until(() => guest.heldOperations === 1);
    const second = guest.begin({ body: "2" });
    guest.releaseOperations();
    expect((await first.outcome).text).toBe("1");
    expect((await second.outcome).text).toBe("2");
  });

  it("lets a thread use kv while the loop itself is blocked waiting for it", async () => {
    await load(`
import threading, kv
async def call(i):
    got = []
    t = threading.Thread(target=lambda: got.append(kv.get("k", i))); t.start(); t.join()
    return got[0]
`);
    const outcomes = await Promise.all(["a", "b", "c"].map((body) => guest.call(body)));
    expect(outcomes.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  });

  it("cancels the task of a call whose caller is gone, and no other", async () => {
    await load(`
import asyncio
async def call(i):
    if i == "fine": return i
    try: await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cleaning up")
        raise
`);
    const { id, outcome } = guest.begin({ body: "slow" });
    await guest.ping(1);
    guest.cancel(id);
    expect((await outcome).failed?.errorType).toBe("CancelledError");
    expect(guest.logs).toEqual([{ callId: id, stream: 1, text: "cleaning up\n" }]);
    expect((await guest.call("fine")).text).toBe("fine");
    const early = guest.begin({ body: "fine" });
    guest.cancel(early.id);
    expect((await early.outcome).failed?.errorType).toBe("CancelledError");
  });

  it.each(["raise SystemExit(3)", "raise KeyboardInterrupt", "1 / 0", "return object()"])(
    "survives a call that ends with %s",
    async (statement) => {
      await load(`async def call(i):\n    if i == 'ok': return i\n    ${statement}`);
      expect((await guest.call("bad")).failed).toBeDefined();
      expect((await guest.call("ok")).text).toBe("ok");
    },
  );

  it("ends its running calls before it exits", async () => {
    await load("import kv\nasync def call(i): return await kv.aio.get('k', i)");
    guest.holdOperations = true;
    const calls = ["1", "2"].map((body) => guest.begin({ body }));
    await guest.until(() => guest.heldOperations === 2);
    guest.stop();
    guest.releaseOperations();
    const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
    expect(outcomes.map(({ text }) => text)).toEqual(["1", "2"]);
    expect(await guest.exited).toBe(0);
  });

  it("runs the coroutine that a plain wrapper returns", async () => {
    await load("async def work(i): return i + '!'\ndef call(i): return work(i)");
    expect(guest.loaded).toEqual({ concurrency: 1, ahead: 15 });
    expect((await guest.call("x")).text).toBe("x!");
  });

  it("offers kv.aio to asyncio.run inside a plain function", async () => {
    await load(`
import asyncio, kv
async def main(i):
    await kv.aio.set("k", i)
    return [pair async for pair in kv.aio.scan()] + list(await asyncio.gather(*[kv.aio.get("k") for _ in range(20)]))
def call(i): return asyncio.run(main(i))
`);
    const { text } = await guest.call("v");
    expect(JSON.parse(text as string)).toEqual([
      ["k", "v"],
      ...Array.from({ length: 20 }, () => "v"),
    ]);
  });
});

describe.skipIf(!PYTHON)(`threads of a plain Python function (${PYTHON_MISSING})`, () => {
  it("share the channel, each getting its own replies", async () => {
    await load(`
import kv
from concurrent.futures import ThreadPoolExecutor
def work(n):
    for k in range(50):
        kv.set(f"{n}-{k}", f"{n * k}")
        if kv.get(f"{n}-{k}") != f"{n * k}": return "mixed up"
    return "ok"
def call(i):
    with ThreadPoolExecutor(16) as pool: return list(pool.map(work, range(16)))
`);
    const { text } = await guest.call();
    expect(JSON.parse(text as string)).toEqual(Array.from({ length: 16 }, () => "ok"));
    expect(guest.keygroup.seen).toHaveLength(1600);
  });

  it("never mix the bytes of what they write", async () => {
    await load(`
import kv
from concurrent.futures import ThreadPoolExecutor
def work(n):
    value = bytes([n]) * 3_000_000
    for _ in range(4):
        kv.set(str(n), value)
        if kv.get(str(n)) != value: return "mixed up"
    return "ok"
def call(i):
    with ThreadPoolExecutor(8) as pool: return list(pool.map(work, range(8)))
`);
    expect((await guest.call()).text).toBe(JSON.stringify(Array.from({ length: 8 }, () => "ok")));
  });

  it("get their replies while the main thread waits for a call, and while it runs one", async () => {
    await load(`
import kv, threading
again = threading.Event()
def work():
    while True:
        again.wait(); again.clear()
        kv.increment("n")
threading.Thread(target=work, daemon=True).start()
def call(i):
    again.set()
    return kv.get("k", i)
`);
    for (let n = 1; n <= 20; n++) {
      expect((await guest.call(String(n))).text).toBe(String(n));
      await guest.until(() => guest.keygroup.read("n") !== undefined);
    }
  });

  it("leaves the channel to the parent when the function forks", async () => {
    await load(`
import os, kv
def call(i):
    pid = os.fork()
    if pid == 0:
        try: kv.get("k")
        except RuntimeError as e: os._exit(7)
        os._exit(0)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), kv.get("k", i)]
`);
    expect((await guest.call("still here")).text).toBe('[7,"still here"]');
  });
});
