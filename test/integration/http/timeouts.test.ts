import { afterAll, beforeAll, expect, test } from "vitest";

import {
  deployFiles,
  problemOf,
  send,
  until,
  type FunctionFiles,
} from "../../helpers/node-calls.js";
import { inEachIsolation } from "../../helpers/isolations.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

/** Ways not to come back; with the input `ok` each answers at once, with its process id. */
const STUCK: Readonly<Record<string, { files: FunctionFiles; sharesProcess: boolean }>> = {
  "python-loop": {
    files: {
      "fn.py":
        "import os\ndef call(i):\n    while i != 'ok':\n        pass\n    return os.getpid()\n",
    },
    sharesProcess: false,
  },
  "python-sleep": {
    files: {
      "fn.py":
        "import asyncio, os\nasync def call(i):\n    if i != 'ok':\n        await asyncio.sleep(60)\n    return os.getpid()\n",
    },
    sharesProcess: true,
  },
  "python-async-loop": {
    files: {
      "fn.py":
        "import os\nasync def call(i):\n    while i != 'ok':\n        pass\n    return os.getpid()\n",
    },
    sharesProcess: false,
  },
  "node-loop": {
    files: { "index.mjs": "export function call(i) { while (i !== 'ok'); return process.pid; }" },
    sharesProcess: false,
  },
  "node-forever": {
    files: {
      "index.mjs":
        "export async function call(i) { if (i !== 'ok') await new Promise(() => {}); return process.pid; }",
    },
    sharesProcess: true,
  },
  "binary-sleep": {
    files: { "fn.sh": '#!/bin/sh\nread -r i\n[ "$i" = ok ] || sleep 60\necho $PPID\n' },
    sharesProcess: true,
  },
};

inEachIsolation((settings) => {
  let running: RunningNode;

  beforeAll(async () => {
    running = await startNode(settings);
    await deployFiles(running, "other", { "index.mjs": "export const call = () => 'well';" });
    for (const [name, { files }] of Object.entries(STUCK)) {
      await deployFiles(running, name, files, { timeout: "30s", maxInstances: 2 });
    }
  });
  afterAll(() => running?.remove());

  /** What makes the function answer: the shell reads a whole line. */
  const okOf = (name: string) => (name === "binary-sleep" ? "ok\n" : "ok");

  const call = (name: string, body: string, timeout: string) =>
    send(running.functionsUrl, `/${name}`, {
      method: "POST",
      body,
      headers: { "content-type": "text/plain", "enoki-timeout": timeout },
    });

  test.each(Object.keys(STUCK))(
    "%s that does not come back is 504 after its time, while other functions and later calls keep working",
    async (name) => {
      expect((await call(name, okOf(name), "20s")).status).toBe(200);
      const began = performance.now();
      const stuck = call(name, "stuck\n", "300ms");
      expect((await call("other", "", "20s")).text).toBe("well");
      const answer = await stuck;
      expect(problemOf(answer)).toMatchObject({ status: 504, code: "ENOKI_TIMEOUT" });
      expect(performance.now() - began).toBeGreaterThan(290);
      expect(performance.now() - began).toBeLessThan(3000);
      const after = await call(name, okOf(name), "20s");
      expect(after.status, after.text).toBe(200);
    },
  );

  test.each(Object.keys(STUCK).filter((name) => STUCK[name]?.sharesProcess))(
    "%s does not fail the calls that share its process",
    async (name) => {
      const stuck = call(name, "stuck", "200ms");
      const others = await Promise.all(
        Array.from({ length: 20 }, () => call(name, okOf(name), "20s")),
      );
      expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      expect((await stuck).status).toBe(504);
    },
  );

  test("calls that ignore their deadline do not use up the function's instances", async () => {
    // More than two instances of 64 slots can hold.
    const lost = await Promise.all(
      Array.from({ length: 150 }, () => call("node-forever", "stuck", "200ms")),
    );
    expect(new Set(lost.map(({ status }) => status))).toEqual(new Set([504]));
    expect((await call("node-forever", "ok", "20s")).status).toBe(200);
    await until("the lost calls are gone", async () => {
      const { status } = await running.client.functions.get("node-forever");
      return status.running === 0;
    });
  });

  test("the log names the instance that was ended, and why", async () => {
    const lines: string[] = [];
    for await (const { text, stream } of running.client.functions.logs("python-loop")) {
      if (stream === "platform") lines.push(text);
    }
    expect(lines.join("\n")).toMatch(/instance \d+ ended: timeout/);
  });
});
