import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { KeygroupOperations } from "../../../dist/keygroups/operation-server.js";
import type { KeygroupName } from "../../../dist/core/ids.js";
import { TAG } from "../../../src/core/value.js";
import { readProcesses, trySignal } from "../../../src/runtimes/process-table.js";
import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

interface Check {
  readonly reads: number;
  readonly wrong: readonly unknown[];
}

const code = (file: string): string => readFileSync(join(import.meta.dirname, file), "utf8");
const READERS = {
  Node: { "index.mjs": code("reader.mjs") },
  Python: { "main.py": code("reader.py") },
};
const CASES = (["process", "sandbox"] as const).flatMap((isolation) =>
  (["Node", "Python"] as const).map((language) => [language, isolation] as const),
);
const sandbox = await probeSandbox();
const missing = "missing" in sandbox ? `: ${sandbox.missing}; \`npm run setup\`` : "";

describe.each(CASES)("direct reads of %s in a %s", (language, isolation) => {
  describe.skipIf(isolation === "sandbox" && missing !== "")(`of a keygroup${missing}`, () => {
    let running: RunningNode;
    const served = vi.spyOn(KeygroupOperations.prototype, "serve");

    beforeAll(async () => {
      running = await startNode();
      await deploy("reader");
    });
    afterAll(() => running?.remove());
    afterEach(() => served.mockClear());

    const deploy = (name: string) =>
      deployFiles(running, name, READERS[language], { isolation, maxInstances: 3 });

    async function run<T = unknown>(op: string, input: object = {}, name = "reader"): Promise<T> {
      const answer = await send(running.functionsUrl, `/${name}`, {
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ op, ...input }),
      });
      if (answer.status !== 200) throw new Error(answer.text);
      return (JSON.parse(answer.text) as { result: T }).result;
    }

    const kv = () => running.client.kv("reader");

    test("see every write that was acknowledged before them, without asking the node", async () => {
      expect(await run("alternate", { times: 10_000 })).toBe(0);
      expect(served).toHaveBeenCalledTimes(10_000);
    });

    test("see what others wrote, at once", async () => {
      for (let i = 0; i < 200; i++) {
        await kv().set("other", `${i}`);
        expect(await run("get", { key: "other" })).toEqual({ value: `${i}`, exists: true });
      }
      expect(await run("get", { key: "no such key" })).toEqual({ value: "missing", exists: false });
      expect(served).not.toHaveBeenCalled();
    });

    test("leave to the node what takes a clock or a merge: expiry, CRDTs, deleted keys", async () => {
      await run("set", { key: "t/short", value: "gone soon", ttl: "1ms" });
      await run("set", { key: "t/long", value: "stays", ttl: "1h" });
      await run("set", { key: "t/plain", value: { a: [1] } });
      await run("set", { key: "t/deleted", value: "x" });
      await run("delete", { key: "t/deleted" });
      await run("add", { key: "t/counter", n: 5 });
      await run("members", { key: "t/set", member: "m" });
      await new Promise((resolve) => setTimeout(resolve, 5));
      const expected = [
        ["t/counter", 5],
        ["t/long", "stays"],
        ["t/plain", { a: [1] }],
        ["t/set", ["m"]],
      ];
      const keys = ["t/short", "t/long", "t/plain", "t/deleted", "t/counter", "t/set"];
      expect((await run<unknown[]>("getMany", { keys })).sort()).toEqual(expected);
      expect(await run("scan", { range: { prefix: "t/" } })).toEqual(expected);
      for (const key of keys) {
        const found = expected.find(([name]) => name === key);
        expect(await run("get", { key })).toEqual({
          value: found?.[1] ?? "missing",
          exists: found !== undefined,
        });
      }
    });

    test("scan what the REST API scans, over many pages and in both directions", async () => {
      for (let i = 0; i < 2500; i += 500) {
        const batch = kv().batch();
        for (let j = i; j < i + 500; j++) batch.set(`p/${j}`, j % 3 ? `é${j}` : { j });
        await batch.commit();
      }
      const ranges = [
        { prefix: "p/" },
        { prefix: "p/1", limit: 1234 },
        { start: "p/2", end: "p/40" },
        { start: "p/990", end: "p/~", limit: 7 },
        { prefix: "none/" },
      ];
      for (const range of ranges.flatMap((range) => [range, { ...range, reverse: true }])) {
        const expected = await kv().scan(range).toArray();
        served.mockClear();
        expect(await run("scan", { range })).toEqual(expected);
        expect(await run("keys", { range })).toEqual(expected.map(([key]) => key));
        expect(served).not.toHaveBeenCalled();
      }
    });

    // JavaScript has one thread.
    if (language === "Python") {
      test("may come from several threads at once", async () => {
        expect(await run("threads", { times: 2000 })).toEqual([]);
        // A thread that finds another one reading asks the node.
        expect(served.mock.calls.length).toBeLessThan((4 * 2000 * 3) / 2);
      });
    }

    test("never show anything torn, wrong or old while others write at full speed and readers are stopped", async () => {
      await deploy("stressed");
      const keygroup = running.node.keygroups.find("stressed" as KeygroupName);
      let acknowledged = 0;
      const writer = { isOver: false };
      const write = async (): Promise<void> => {
        for (let n = 1; !writer.isOver; n++) {
          const item = (i: number) => Buffer.from(JSON.stringify({ i, n, c: (n * 31 + i) % 997 }));
          const set = (key: string, tag: typeof TAG.json | typeof TAG.bytes, bytes: Buffer) =>
            ({ op: "set", key, value: { tag, bytes } }) as const;
          await keygroup.write({
            writes: [
              ...Array.from({ length: 10 }, (_, i) => set(`s/${i}`, TAG.json, item(i))),
              set(`other/${(n * 7919) % 500}`, TAG.bytes, Buffer.alloc(n % 3000, n)),
              ...(n % 20 === 1 ? [set("big", TAG.bytes, Buffer.alloc(100_000, n))] : []),
            ],
          });
          acknowledged = n;
        }
      };
      const writing = write();
      await run("get", { key: "s/0" }, "stressed");
      const pauses = setInterval(() => {
        const pids = guestsOf(running.node.functions.find("stressed")?.pids ?? []);
        for (const pid of pids) trySignal(pid, "SIGSTOP");
        setTimeout(() => pids.forEach((pid) => trySignal(pid, "SIGCONT")), Math.random() * 300);
      }, 400);
      let reads = 0;
      try {
        for (let round = 0; round < 5; round++) {
          const checks = Array.from({ length: 3 }, () =>
            run<Check>("check", { forMs: 1000, from: acknowledged }, "stressed"),
          );
          for (const check of await Promise.all(checks)) {
            expect(check.wrong).toEqual([]);
            reads += check.reads;
          }
        }
      } finally {
        clearInterval(pauses);
        writer.isOver = true;
        await writing;
      }
      expect(reads).toBeGreaterThan(100);
      expect(acknowledged).toBeGreaterThan(100);
      expect(served.mock.calls.length).toBeLessThan(reads);
    });

    test("end with the keygroup: a dropped one is not read any more", async () => {
      await deploy("dropped");
      await run("set", { key: "k", value: "old" }, "dropped");
      expect(await run("get", { key: "k" }, "dropped")).toEqual({ value: "old", exists: true });
      await running.node.keygroups.remove("dropped" as KeygroupName);
      const after = await run("get", { key: "k" }, "dropped").catch((error: unknown) => error);
      expect(after).toBeInstanceOf(Error);
    });

    if (isolation === "process") return;
    test("cannot touch the file that they read", async () => {
      const { files, ...tries } = await run<Record<string, unknown>>("attack");
      expect(files).toEqual(["code", "manifest.json", "store.mdb"]);
      for (const code of Object.values(tries)) expect(code).toMatch(/^(EROFS|EACCES)$/);
      expect(Object.keys(tries)).toHaveLength(5);
    });
  });
});

/** The processes and all below them. */
function guestsOf(pids: readonly number[]): number[] {
  const found = new Set(pids);
  const rows = [...readProcesses()];
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const { pid, parent } of rows) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}
