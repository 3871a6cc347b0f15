import { afterEach, describe, expect, it } from "vitest";
import { LOG_STREAM } from "../../../src/channel/frames.js";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

const { stdout, stderr } = LOG_STREAM;
let guest: PythonGuest;

async function load(source: string): Promise<void> {
  guest = new PythonGuest();
  const loaded = await guest.loadSource(source);
  expect(loaded, JSON.stringify(loaded)).toHaveProperty("concurrency");
}

/** The text of one call's stream, however it was cut. */
function logOf(callId: number, stream: number): string {
  return guest.logs
    .filter((log) => log.callId === callId && log.stream === stream)
    .map((log) => log.text)
    .join("");
}

afterEach(() => guest.close());

describe.skipIf(!PYTHON)(`the log of a Python function (${PYTHON_MISSING})`, () => {
  it("marks what is written with its call and its stream", async () => {
    await load(`
import sys, logging
print("importing")
def call(i):
    print("one", i, "é")
    print("two", file=sys.stderr)
    logging.warning("three")
    sys.stdout.buffer.write(b"four\\n")
`);
    expect(guest.logs).toEqual([{ callId: 0, stream: stdout, text: "importing\n" }]);
    await guest.call("a");
    await guest.call("b");
    expect(logOf(1, stdout)).toBe("one a é\nfour\n");
    expect(logOf(2, stdout)).toBe("one b é\nfour\n");
    expect(logOf(1, stderr)).toBe("two\nWARNING:root:three\n");
  });

  it("sends whole lines at once, and the rest when the call ends or it is flushed", async () => {
    await load(`
import kv
def call(i):
    print("a", end="")
    print("b\\nc", end="")
    kv.get("k")
    print("d", end="", flush=True)
    kv.get("k")
    print("e", end="")
`);
    const seen: string[] = [];
    guest.keygroup.intercept = () => {
      seen.push(logOf(1, stdout));
      return undefined;
    };
    await guest.call();
    expect(seen).toEqual(["ab\n", "ab\ncd"]);
    expect(logOf(1, stdout)).toBe("ab\ncde");
  });

  it("has sent the log of a call before its answer", async () => {
    await load("def call(i):\n    print('x' * 100_000)\n    return 'done'");
    await guest.call();
    expect(logOf(1, stdout)).toHaveLength(100_001);
  });

  it("keeps the lines of concurrent calls apart", async () => {
    await load(`
import asyncio, kv
async def call(i):
    print(i, end="")
    await kv.aio.get("k")
    print(i)
    await asyncio.to_thread(print, "thread", i)
`);
    await Promise.all(["a", "b", "c"].map((body) => guest.call(body)));
    expect([1, 2, 3].map((id) => logOf(id, stdout))).toEqual([
      "aa\nthread a\n",
      "bb\nthread b\n",
      "cc\nthread c\n",
    ]);
  });

  it("marks what a plain function's threads write with the call", async () => {
    await load(`
import threading
def call(i):
    t = threading.Thread(target=lambda: print("from a thread")); t.start(); t.join()
`);
    await guest.call();
    expect(logOf(1, stdout)).toBe("from a thread\n");
  });

  it("escapes what is no text, and refuses what is no str", async () => {
    await load(`
import sys
def call(i):
    print("\\ud800")
    sys.stdout.buffer.write(b"\\xff\\n")
    try: sys.stdout.write(b"x")
    except TypeError as e: return str(e)
`);
    expect((await guest.call()).text).toBe("write() argument must be str, not bytes");
    expect(logOf(1, stdout)).toBe("\\ud800\n\\xff\n");
  });
});
