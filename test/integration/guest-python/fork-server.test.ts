import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FakeNode } from "../../helpers/fake-node.js";
import { PYTHON, PYTHON_MISSING, PythonForkServer } from "../../helpers/fake-node-python.js";

let server: PythonForkServer;

/** True while the process runs: neither gone nor a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Resolves once the process is gone; the test's own time limit is the limit. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(() => {
  if (PYTHON) server = new PythonForkServer();
});

afterEach(async () => {
  if (PYTHON) await server.close();
});

const python = { runtime: "python" };
/** Starts a process of its own, logs its id, and then neither ends nor listens. */
const SPINNING = {
  "main.py": `
import subprocess
def call(i):
    print(subprocess.Popen(["sleep", "60"]).pid)
    while True: pass
`,
};

/** A call that spins; resolves with the process that it started. */
async function spin(node: FakeNode): Promise<number> {
  await node.load(SPINNING, python);
  void node.call();
  await node.until(() => node.logs.length > 0);
  return Number(node.logs[0]?.text);
}

describe.skipIf(!PYTHON)(`the Python fork server (${PYTHON_MISSING})`, () => {
  it("forks instances that load, serve and share nothing", async () => {
    const forks = await Promise.all([server.fork(), server.fork(), server.fork()]);
    const source = {
      "main.py": "n = 0\ndef call(i):\n    global n\n    n += 1\n    return i + str(n)",
    };
    const texts = await Promise.all(
      forks.map(async ({ node }) => {
        expect(await node.load(source, python)).toEqual({ concurrency: 1, ahead: 15 });
        await node.call("a");
        return (await node.call("b")).text;
      }),
    );
    expect(texts).toEqual(["b2", "b2", "b2"]);
    expect(new Set(forks.map(({ pid }) => pid)).size).toBe(3);
  });

  it("reports how its instances end", async () => {
    const [stopped, exited, killed] = await Promise.all([
      server.fork(),
      server.fork(),
      server.fork(),
    ]);
    stopped.node.stop();
    await exited.node.load({ "main.py": "import os\ndef call(i): os._exit(3)" }, python);
    void exited.node.call();
    server.send({ op: "kill", pid: killed.pid, signal: 9 });
    const report = (pid: number): Promise<unknown> =>
      server.report((seen) => seen.event === "exited" && seen.pid === pid);
    expect(await report(stopped.pid)).toMatchObject({ code: 0, signal: null });
    expect(await report(exited.pid)).toMatchObject({ code: 3, signal: null });
    expect(await report(killed.pid)).toMatchObject({ code: null, signal: 9 });
  });

  it("kills an instance with all that it has started", async () => {
    const { node, pid } = await server.fork();
    const sleeper = await spin(node);
    server.send({ op: "kill", pid, signal: 9 });
    await Promise.all([gone(pid), gone(sleeper)]);
  });

  it("kills what an instance that ends by itself leaves behind", async () => {
    const { node } = await server.fork();
    await node.load(
      {
        "main.py":
          "import os, subprocess\ndef call(i):\n    print(subprocess.Popen(['sleep', '60']).pid)\n    os._exit(0)",
      },
      python,
    );
    await node.call();
    const sleeper = Number(node.logs[0]?.text);
    expect(sleeper).toBeGreaterThan(1);
    await gone(sleeper);
  });

  it("leaves nothing behind when its control channel ends, not even a spinning instance", async () => {
    const { node, pid } = await server.fork();
    const sleeper = await spin(node);
    await server.close();
    await Promise.all([gone(pid), gone(sleeper)]);
  });

  it("takes its instances along when it is killed itself", async () => {
    const { node, pid } = await server.fork();
    const sleeper = await spin(node);
    server.process.kill("SIGKILL");
    await gone(pid);
    process.kill(sleeper, "SIGKILL");
  });

  it("preloads modules for instances that need them, from the start or when told to", async () => {
    const source = {
      "main.py": "import sys\nseen = 'asyncio' in sys.modules\nasync def call(i): return seen",
    };
    const before = await server.fork();
    await before.node.load(source, python);
    expect((await before.node.call()).text).toBe("false");
    server.send({ op: "preload", modules: ["asyncio", "no_such_module_is_fine"] });
    const after = await server.fork();
    await after.node.load(source, python);
    expect((await after.node.call()).text).toBe("true");
    const preloading = new PythonForkServer(["--preload", "kv.aio"]);
    const { node } = await preloading.fork();
    await node.load(source, python);
    expect((await node.call()).text).toBe("true");
    await preloading.close();
  });

  it("refuses to kill what it has not forked", async () => {
    server.send({ op: "kill", pid: process.pid, signal: 15 });
    const { node } = await server.fork();
    expect(await node.load({ "main.py": "def call(i): return i" }, python)).toEqual({
      concurrency: 1,
      ahead: 15,
    });
  });
});
