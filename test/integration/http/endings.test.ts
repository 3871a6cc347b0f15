import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, problemOf, send } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

const PYTHON = `
import os, signal
def call(i):
    if i == "exit": os._exit(7)
    if i == "signal": os.kill(os.getpid(), signal.SIGSEGV)
    while i == "loop": pass
    if i == "oom":
        x = bytearray(1 << 30)
        for at in range(0, len(x), 4096): x[at] = 1
    return i
`;
const NODE = `
export async function call(i) {
  if (i === "exit") process.exit(7);
  if (i === "signal") process.kill(process.pid, "SIGSEGV");
  while (i === "loop");
  if (i === "oom") { const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1)); }
  if (i === "signal") await new Promise(() => {});
  return i;
}
`;
const BINARY = `#!/bin/sh
read -r i
case "$i" in
  exit) echo "no good" >&2; exit 7 ;;
  signal) kill -SEGV $$ ;;
  loop) while :; do :; done ;;
  *) printf %s "$i" ;;
esac
`;

let running: RunningNode;

beforeAll(async () => {
  running = await startNode();
  for (const isolation of ["sandbox", "process"] as const) {
    const config = { isolation, memory: "128m", maxInstances: 1 };
    await deployFiles(running, `python-${isolation}`, { "fn.py": PYTHON }, config);
    await deployFiles(running, `node-${isolation}`, { "index.mjs": NODE }, config);
    await deployFiles(running, `binary-${isolation}`, { "fn.sh": BINARY }, config);
  }
});
afterAll(() => running?.remove());

const call = (name: string, word: string, timeout = "30s") =>
  send(running.functionsUrl, `/${name}`, {
    method: "POST",
    body: `${word}${name.startsWith("binary") ? "\n" : ""}`,
    headers: { "content-type": "text/plain", "enoki-timeout": timeout },
  });

describe.each(["sandbox", "process"] as const)("in isolation %s", (isolation) => {
  test.each(["python", "node"])(
    "the end of a %s instance is told, and the next call finds a fresh one",
    async (kind) => {
      const name = `${kind}-${isolation}`;
      for (const [way, reason] of [
        ["exit", "exit code 7"],
        ["signal", "signal SIGSEGV"],
        ["oom", "oom"],
      ] as const) {
        const problem = problemOf(await call(name, way));
        expect(problem).toMatchObject({ status: 502, code: "ENOKI_INSTANCE_DIED", reason });
        expect((await call(name, "fresh")).text).toBe("fresh");
      }
    },
  );

  test("a program that fails is an error of the function, with its exit code and last words", async () => {
    const name = `binary-${isolation}`;
    expect(problemOf(await call(name, "exit"))).toMatchObject({
      status: 500,
      code: "ENOKI_FUNCTION_ERROR",
      message: "exit code 7: no good",
    });
    expect(problemOf(await call(name, "signal"))).toMatchObject({
      status: 500,
      code: "ENOKI_FUNCTION_ERROR",
      message: "signal SIGSEGV",
    });
    expect((await call(name, "fresh")).text).toBe("fresh");
  });

  test.each(["python", "node", "binary"])(
    "an endless loop in %s is 504, and the next call is served",
    async (kind) => {
      const name = `${kind}-${isolation}`;
      expect(problemOf(await call(name, "loop", "200ms"))).toMatchObject({
        status: 504,
        code: "ENOKI_TIMEOUT",
      });
      expect((await call(name, "fresh")).text).toBe("fresh");
    },
  );
});
