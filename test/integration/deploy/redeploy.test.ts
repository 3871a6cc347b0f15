import { readdir } from "node:fs/promises";
import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, send, until, type Answer } from "../../helpers/node-calls.js";
import type { Isolation } from "../../../src/ports/runtime.js";
import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

const ISOLATIONS: readonly Isolation[] =
  "missing" in (await probeSandbox()) ? ["process"] : ["process", "sandbox"];

let running: RunningNode;

beforeAll(async () => {
  running = await startNode({ ...PROCESS_ISOLATION, instanceIdleMs: 1500 });
});
afterAll(() => running?.remove());

const call = (name: string, body = "") =>
  send(running.functionsUrl, `/${name}`, { method: "POST", body });

/** Code that answers with the revision it is, after a short while. */
const REVISION = {
  "plain Python": (n: number) => ({
    "fn.py": `import time\ndef call(i):\n    time.sleep(0.002)\n    return "${n}"\n`,
  }),
  "async Python": (n: number) => ({
    "fn.py": `import asyncio\nasync def call(i):\n    await asyncio.sleep(0.002)\n    return "${n}"\n`,
  }),
  JavaScript: (n: number) => ({
    "index.mjs": `export const call = () => new Promise((r) => setTimeout(r, 2, "${n}"));`,
  }),
  binary: (n: number) => ({ "fn.sh": `#!/bin/sh\nprintf ${n}\n` }),
};

/** Sends one call after the other over 10 connections until `isOver`; gives what came back. */
async function load(name: string, isOver: () => boolean): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 10 });
  const answers: Answer[] = [];
  const oneClient = async (): Promise<void> => {
    while (!isOver()) {
      answers.push(
        await send(running.functionsUrl, `/${name}`, { method: "POST", body: "x", agent }),
      );
    }
  };
  await Promise.all(Array.from({ length: 10 }, oneClient));
  agent.destroy();
  return answers;
}

describe.each(
  ISOLATIONS.flatMap((isolation) =>
    Object.entries(REVISION).map(([kind, code]) => [kind, isolation, code] as const),
  ),
)("under a running load of 10 connections, %s with isolation %s", (kind, isolation, code) => {
  const name = `${kind.replace(" ", "-").toLowerCase()}-${isolation}`;

  test("is redeployed five times and rolled back without one failed request", async () => {
    await deployFiles(running, name, code(0), { maxInstances: 2, isolation });
    let isOver = false;
    const answering = load(name, () => isOver);
    for (let n = 1; n <= 5; n++) {
      await deployFiles(running, name, code(n));
      // The new revision serves as soon as its deploy has returned.
      expect((await call(name)).text).toBe(String(n));
    }
    await running.client.functions.rollback(name, 1);
    expect((await call(name)).text).toBe("0");
    isOver = true;
    const answers = await answering;
    expect(answers.filter(({ status }) => status !== 200).map(({ text }) => text)).toEqual([]);
    expect(answers.length).toBeGreaterThan(200);
    expect(new Set(answers.map(({ text }) => text))).toEqual(
      new Set(["0", "1", "2", "3", "4", "5"]),
    );
  });
});

test("what a module sets up at import stays between the calls of an instance", async () => {
  const sources = {
    "warm-py": {
      "fn.py":
        "import os\ncalls = []\ndef call(i):\n    calls.append(1)\n    return [os.getpid(), len(calls)]\n",
    },
    "warm-js": {
      "index.mjs": "let calls = 0; export const call = () => [process.pid, ++calls];",
    },
  };
  for (const [name, files] of Object.entries(sources)) {
    await deployFiles(running, name, files);
    const seen: [number, number][] = [];
    for (let i = 0; i < 5; i++) seen.push(JSON.parse((await call(name)).text) as [number, number]);
    expect(seen.map(([, calls]) => calls)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(seen.map(([pid]) => pid)).size).toBe(1);
    expect((await running.client.functions.get(name)).status.coldStartsTotal).toBe(1);
  }
});

describe("revisions", () => {
  const rev = (n: number) => ({ "fn.py": `def call(i): return "${n}"\n` });

  test("are numbered, listed with the newest first, and can be taken back one by one", async () => {
    await deployFiles(running, "rev", rev(1), { timeout: "5s", env: { A: "1" } });
    await deployFiles(running, "rev", rev(2), { env: { A: "2" } });
    const listed = await running.client.functions.revisions("rev");
    expect(listed.map(({ number, current }) => [number, current])).toEqual([
      [2, true],
      [1, false],
    ]);
    // What a redeploy leaves unsaid keeps its setting.
    expect(listed.map(({ config }) => [config.timeout, config.env?.["A"]])).toEqual([
      ["5s", "2"],
      ["5s", "1"],
    ]);

    await running.client.functions.rollback("rev");
    expect((await call("rev")).text).toBe("1");
    await running.client.functions.rollback("rev", 2);
    expect((await call("rev")).text).toBe("2");
    const after = await running.client.functions.revisions("rev");
    expect(after[0]).toMatchObject({ number: 4, current: true });
    await expect(running.client.functions.rollback("rev", 99)).rejects.toMatchObject({
      code: "ENOKI_REVISION_NOT_FOUND",
      status: 404,
    });
  });

  test("beyond ten are forgotten, with their artefacts", async () => {
    const artefacts = async () =>
      (await readdir(`${running.dataDir}/artefacts`)).filter((name) => name.length === 64).length;
    const before = await artefacts();
    for (let n = 1; n <= 12; n++) await deployFiles(running, "many", rev(1000 + n));
    const listed = await running.client.functions.revisions("many");
    expect(listed.map(({ number }) => number)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect(await artefacts()).toBe(before + 10);
    await running.client.functions.remove("many");
    expect(await artefacts()).toBe(before);
  });

  test("survive a restart, as does the choice among them", async () => {
    await deployFiles(running, "lasting", rev(1));
    await deployFiles(running, "lasting", rev(2));
    await running.client.functions.rollback("lasting");
    running = await running.restart();
    expect((await call("lasting")).text).toBe("1");
    await running.client.functions.rollback("lasting", 2);
    expect((await call("lasting")).text).toBe("2");
  });
});

describe("at the same time", () => {
  test("deploys of one name are done one after the other", async () => {
    const deploys = await Promise.all(
      [1, 2, 3, 4].map((n) =>
        deployFiles(running, "racing", { "fn.py": `def call(i): return "${n}"\n` }),
      ),
    );
    expect(deploys.map(({ revision }) => revision).sort()).toEqual([1, 2, 3, 4]);
    const last = deploys.findIndex(({ revision }) => revision === 4) + 1;
    expect((await call("racing")).text).toBe(String(last));
  });

  test("deploys and removals of many names do not take each other's artefacts", async () => {
    const files = (n: number) => ({ "fn.py": `def call(i): return "own ${n}"\n` });
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        await deployFiles(running, `own${n}`, files(n));
        if (n % 2 === 0) await running.client.functions.remove(`own${n}`);
        await deployFiles(running, `own${n}`, files(n));
      }),
    );
    // A fresh instance, after the idle one has gone, needs the artefact once more.
    running = await running.restart();
    for (let n = 0; n < 8; n++) expect((await call(`own${n}`)).text).toBe(`own ${n}`);
  });

  test("a removal while calls run lets them end, and later ones are 404", async () => {
    await deployFiles(running, "going", {
      "index.mjs": "export const call = () => new Promise((r) => setTimeout(r, 300, 'ended'));",
    });
    const last = call("going");
    await until(
      "it runs",
      async () => (await running.client.functions.get("going")).status.running === 1,
    );
    const removed = running.client.functions.remove("going");
    await until("it is gone", async () => (await call("going")).status === 404);
    await removed;
    expect((await last).text).toBe("ended");
  });
});

describe.each([
  ["which waits for it", 10_000],
  ["which does not wait so long", 100],
])("a deploy while the node shuts down, %s,", (_, drainTimeoutMs) => {
  test("leaves a node that starts again, with the old or the new revision", async () => {
    let closing = await startNode({ ...PROCESS_ISOLATION, drainTimeoutMs });
    try {
      await deployFiles(closing, "closing", { "fn.py": "def call(i): return 'old'\n" });
      const code = "import time\ntime.sleep(1)\ndef call(i): return 'new'\n";
      const deploy = deployFiles(closing, "closing", { "fn.py": code }).then(
        () => "deployed",
        () => "refused",
      );
      const scratch = `${closing.dataDir}/scratch`;
      await until("it is being built", async () => (await readdir(scratch)).length > 0);
      closing = await closing.restart();
      const outcome = await deploy;
      const { text } = await send(closing.functionsUrl, "/closing");
      if (outcome === "deployed") expect(text).toBe("new");
      else expect(["old", "new"]).toContain(text);
    } finally {
      await closing.remove();
    }
  });
});

describe("scaling", () => {
  test("goes from none to the most that are allowed, and back to none when idle", async () => {
    await deployFiles(
      running,
      "scaled",
      { "fn.py": "import os, time\ndef call(i):\n    time.sleep(0.1)\n    return os.getpid()\n" },
      { maxInstances: 3 },
    );
    const instances = async () => (await running.client.functions.get("scaled")).status.instances;
    await until("nothing runs", async () => (await instances()) === 0);
    const answers = await Promise.all(Array.from({ length: 24 }, () => call("scaled")));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(3);
    expect(await instances()).toBeLessThanOrEqual(3);
    await until("nothing runs again", async () => (await instances()) === 0);
    expect((await call("scaled")).status).toBe(200);
  });

  test("async code shares one instance up to its concurrency", async () => {
    await deployFiles(running, "shared", {
      "index.mjs": "export const call = () => new Promise((r) => setTimeout(r, 50, process.pid));",
    });
    const pids = (await Promise.all(Array.from({ length: 60 }, () => call("shared")))).map(
      ({ text }) => text,
    );
    expect(new Set(pids).size).toBe(1);
    await deployFiles(
      running,
      "shared",
      {
        "index.mjs":
          "export const call = () => new Promise((r) => setTimeout(r, 100, process.pid));",
      },
      { concurrency: 1, maxInstances: 2 },
    );
    const alone = (await Promise.all(Array.from({ length: 6 }, () => call("shared")))).map(
      ({ text }) => text,
    );
    expect(new Set(alone).size).toBe(2);
  });
});

test("log lines carry the id of the invocation that wrote them, also of calls that overlap", async () => {
  await deployFiles(running, "talks-js", {
    "index.mjs":
      "export async function call(i) { console.log('begin ' + i); await new Promise((r) => setTimeout(r, 20)); console.error('end ' + i); }",
  });
  await deployFiles(running, "talks-py", {
    "fn.py":
      "import asyncio, sys\nprint('at import')\nasync def call(i):\n    print('begin ' + i)\n    await asyncio.sleep(0.02)\n    print('end ' + i, file=sys.stderr)\n",
  });
  for (const name of ["talks-js", "talks-py"]) {
    const words = Array.from({ length: 10 }, (_, i) => `w${i}`);
    const answers = await Promise.all(words.map((word) => call(name, word)));
    const ids = new Map(words.map((word, i) => [word, answers[i]?.headers["enoki-invocation-id"]]));
    const lines = await until("all lines are there", async () => {
      const found: { text: string; stream: string; invocation: string | null }[] = [];
      for await (const line of running.client.functions.logs(name)) found.push(line);
      return found.filter(({ text }) => /^(begin|end)/.test(text)).length === 20 && found;
    });
    for (const { text, stream, invocation } of lines) {
      const [, what, word] = /^(begin|end) (w\d)$/.exec(text) ?? [];
      if (what === undefined) continue;
      expect(invocation).toBe(ids.get(word as string));
      expect(stream).toBe(what === "begin" ? "stdout" : "stderr");
    }
  }
});
