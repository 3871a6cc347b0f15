import { afterEach, describe, expect, it } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { leftAfter, Nursery, startUp, type ChildNode } from "./child-node.js";

const GONE_WITHIN_MS = 5_000;
const nursery = new Nursery();
afterEach(() => nursery.remove());

/** An endless loop in every language, and a function that says hello unless it is told to spin. */
const LOOPS = {
  python: { "fn.py": "def call(i):\n    while i.startswith('spin'): pass\n    return 'hello'\n" },
  node: {
    "index.mjs": "export function call(i) { for (; i.startsWith('spin'); ); return 'hello'; }\n",
  },
  binary: {
    "fn.sh": '#!/bin/sh\nread -r i\nwhile [ "$i" = spin ]; do :; done\nprintf hello\n',
  },
} as const;

describe("a node that is killed with kill -9", () => {
  for (const isolation of ["process", "sandbox"] as const) {
    it(`leaves no process of an endless loop after 5 s, and starts again at once on the same ports (${isolation})`, async (test) => {
      const node = await nursery.start(await nursery.dir());
      if (isolation === "sandbox" && !node.ready.isolation.startsWith("sandbox")) {
        test.skip(node.ready.isolation);
      }
      const names = Object.keys(LOOPS) as (keyof typeof LOOPS)[];
      for (const name of names) {
        await node.client.functions.deploy(name, zipFiles(LOOPS[name]), { isolation });
        void send(node.functionsUrl, `/${name}`, { body: "spin\n" }).catch(() => {});
        await until(`${name} runs`, async () => {
          return (await node.client.functions.get(name)).status.running > 0;
        });
        await node.client.kv(name).set("key", `value of ${name}`);
      }
      const family = node.family();
      // A guest each at least, and the guardian.
      expect(family.length).toBeGreaterThan(names.length);

      const killedAtMs = performance.now();
      node.process.kill("SIGKILL");
      const next = await startAgain(node);
      const leftMs = GONE_WITHIN_MS - (performance.now() - killedAtMs);
      expect(leftMs, "a new node starts at once").toBeGreaterThan(0);
      expect(await leftAfter(family, leftMs)).toEqual([]);
      expect(next.functionsUrl).toBe(node.functionsUrl);
      for (const name of names) {
        const { status, text } = await send(next.functionsUrl, `/${name}`, { body: "you\n" });
        expect([name, status, text]).toEqual([name, 200, "hello"]);
        expect(await next.client.kv(name).get("key")).toBe(`value of ${name}`);
      }
    });
  }

  it("closes the connections of the calls that run: their callers hang on nothing", async () => {
    const node = await nursery.start(await nursery.dir());
    const outcomes: Promise<string>[] = [];
    for (const name of Object.keys(LOOPS) as (keyof typeof LOOPS)[]) {
      await node.client.functions.deploy(name, zipFiles(LOOPS[name]));
      outcomes.push(
        send(node.functionsUrl, `/${name}`, { body: "spin\n" }).then(
          ({ status }) => `answered ${status}`,
          (error: NodeJS.ErrnoException) => error.code ?? error.message,
        ),
      );
      await until(`${name} runs`, async () => {
        return (await node.client.functions.get(name)).status.running > 0;
      });
    }
    const family = node.family();
    node.process.kill("SIGKILL");
    const killedAtMs = performance.now();
    // A guest that held the connection's socket would keep it open for as long as it lives.
    expect(await Promise.all(outcomes)).toEqual(["ECONNRESET", "ECONNRESET", "ECONNRESET"]);
    expect(performance.now() - killedAtMs).toBeLessThan(GONE_WITHIN_MS);
    expect(await leftAfter(family, GONE_WITHIN_MS)).toEqual([]);
  });
});

/** Starts a node on the directory and the ports of another. */
async function startAgain(node: ChildNode): Promise<ChildNode> {
  const portOf = (url: string): string => new URL(url).port;
  const ports = [
    "--function-port",
    portOf(node.functionsUrl),
    "--admin-port",
    portOf(node.adminUrl),
  ];
  const args = ["--data-dir", node.ready.dataDir, ...ports, "--json"];
  return nursery.keep(await startUp({ args }));
}
