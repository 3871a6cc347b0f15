import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { connect } from "../../../src/client/index.js";
import { joinCalls, whyNoTrace, type Call } from "./disk-trace.js";

const CLI = join(import.meta.dirname, "../../../dist/cli/main.js");
const TRACED = "read,write,writev,pwrite64,pwritev,fdatasync,fsync,openat";
/** Holds a page of a store, and the head of a request or an answer. */
const SHOWN_BYTES = 20_000;
const WRITERS = 32;
const ROUNDS = 10;
/** Calls of each function. */
const FUNCTION_ROUNDS = 10;
const obstacle = whyNoTrace();

describe.skipIf(obstacle)(
  `the system calls of a strict node${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    it("sync each write after it was written and before its answer leaves, one writer at a time", async () => {
      const { calls, writes } = await traceWrites(1, 40);
      expect(unsynced(calls, writes)).toEqual([]);
    });

    it("do so for 32 writers at once, with far fewer syncs than writes", async () => {
      const { calls, writes } = await traceWrites(WRITERS, ROUNDS);
      expect(writes).toHaveLength(WRITERS * ROUNDS);
      expect(unsynced(calls, writes)).toEqual([]);
      const syncs = calls.filter((call) => isSync(call, "kg-kg")).length;
      expect(syncs).toBeGreaterThan(0);
      expect(syncs).toBeLessThan(writes.length / 4);
    });

    it("do so for what functions set and send before their answer, and for an accepted invocation before its 202", async () => {
      const { calls, writes } = await traceFunctions();
      expect(writes).toHaveLength((Object.keys(WRITING).length + 1) * FUNCTION_ROUNDS);
      expect(unsynced(calls, writes)).toEqual([]);
      // The check can fail: without the syncs, none of them is safe.
      const syncless = calls.filter(({ name }) => !/^f(data)?sync$/.test(name));
      expect(unsynced(syncless, writes)).toHaveLength(writes.length);
    });
  },
);

/** A request that was answered, and what it let the node write. */
interface AcknowledgedWrite {
  /** Text that only this request and what it wrote have. */
  readonly unique: string;
  /** Text of the request that `unique` stands in. */
  readonly request: string;
  /** Status of its answer. */
  readonly status: number;
  /** Folder of the store that holds it. */
  readonly store: string;
}

interface Traced {
  readonly calls: Call[];
  readonly writes: AcknowledgedWrite[];
}

/** Lets writers set keys of a traced node over HTTP. */
function traceWrites(writers: number, rounds: number): Promise<Traced> {
  return traceNode([], async ({ admin }) => {
    const writes: AcknowledgedWrite[] = [];
    await connect(admin).keygroups.create("kg", { durability: "strict" });
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let round = 0; round < rounds; round++) {
          const unique = `key-${writer}-${round}-end`;
          const path = `/v1/keygroups/kg/keys/${unique}`;
          expect((await send(admin, path, { method: "PUT", body: "x", agent })).status).toBe(200);
          writes.push({ unique, request: `/keys/${unique} `, status: 200, store: "kg-kg" });
        }
        agent.destroy();
      }),
    );
    return writes;
  });
}

/** Lets functions set keys and send messages on a strict node, and sends invocations to it. */
function traceFunctions(): Promise<Traced> {
  return traceNode(["--durability", "strict"], async ({ admin, functions }) => {
    const writes: AcknowledgedWrite[] = [];
    const call = async (name: string, status: number, headers = {}): Promise<void> => {
      for (let round = 0; round < FUNCTION_ROUNDS; round++) {
        const unique = `${name}-${round}-of-${status}-end`;
        const sent = { body: unique, headers: { "content-type": "text/plain", ...headers } };
        expect((await send(functions, `/${name}`, sent)).status).toBe(status);
        writes.push({ unique, request: unique, status, store: `kg-${name}` });
      }
    };
    for (const [name, files] of Object.entries(WRITING)) {
      await connect(admin).functions.deploy(name, zipFiles(files));
      await call(name, 200);
    }
    await call("in-node", 202, { prefer: "respond-async" });
    return writes;
  });
}

/** Their stores hold what they are called with: as a key, or as a message that waits. */
const WRITING = {
  "in-node": {
    "index.mjs":
      'import { kv } from "enoki";\nexport const call = async (key) => { await kv.set(key, "x"); };',
  },
  "in-python": { "fn.py": 'import kv\n\ndef call(key: str):\n    kv.set(key, "x")\n' },
  batching: {
    "fn.py":
      'import kv\n\ndef call(key: str):\n    kv.batch().set("same", "x").set(key, "x").commit()\n',
  },
  updating: {
    "fn.py": 'import kv\n\ndef call(key: str):\n    kv.update(key, lambda value: "x")\n',
  },
  counting: {
    "index.mjs":
      'import { kv } from "enoki";\nexport const call = async (key) => { await kv.increment(key); };',
  },
  once: {
    "index.mjs":
      'import { kv } from "enoki";\nexport const call = async (key) => { await kv.batch().set("same", "x").once(key).commit(); };',
  },
  sender: {
    "index.mjs":
      'import { send } from "enoki";\nexport const call = async (text) => { await send("in-python", text); };',
  },
};

/** Runs `work` on a traced node; gives the node's calls and what `work` had acknowledged. */
async function traceNode(
  flags: readonly string[],
  work: (node: { admin: string; functions: string }) => Promise<AcknowledgedWrite[]>,
): Promise<Traced> {
  const dir = await temporaryFolder();
  const trace = join(dir, "trace");
  const options = ["-f", "-y", "-xx", "-s", `${SHOWN_BYTES}`, "-e", `trace=${TRACED}`, "-o", trace];
  const up = [CLI, "up", "--json", "--data-dir", join(dir, "data"), "--isolation", "process"];
  const ports = ["--function-port", "0", "--admin-port", "0"];
  const strace = spawn("strace", [...options, process.execPath, ...up, ...ports, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(strace, "exit");
  const [line] = (await once(createInterface({ input: strace.stdout }), "line")) as [string];
  const ready = JSON.parse(line) as { admin: string; functions: string; pid: number };
  let writes: AcknowledgedWrite[];
  try {
    writes = await work(ready);
  } finally {
    process.kill(ready.pid, "SIGTERM");
    await ended;
  }
  const text = await until("the trace is whole", () => readFile(trace, "latin1"));
  return { calls: joinCalls(text).filter(({ result }) => result >= 0), writes };
}

/** Those whose answer left without a sync of the store between it and the write. */
function unsynced(calls: readonly Call[], writes: readonly AcknowledgedWrite[]): string[] {
  const received = calls.filter(({ name, args }) => name === "read" && !isOfStore(args));
  const head = hex("HTTP/1.1 2");
  const sent = calls.filter(({ name, args }) => /^writev?$/.test(name) && args.includes(head));
  const onStores = calls.filter(({ name, args }) => name !== "read" && isOfStore(args));
  const unsafe = writes.filter(({ unique, request, status, store }) => {
    const [sought, asked] = [hex(unique), hex(request)];
    const arrival = received.find(({ args }) => args.includes(asked));
    const write = onStores.find(({ args }) => args.includes(sought) && isOfStore(args, store));
    // A connection has one request at a time, so its next answer belongs to it.
    const answer =
      arrival &&
      sent.find(
        ({ begin, args }) => begin > arrival.end && descriptor(args) === descriptor(arrival.args),
      );
    if (!write || !answer?.args.includes(hex(`HTTP/1.1 ${status}`))) {
      throw new Error(`${unique} is not in the trace`);
    }
    return !onStores.some(
      (call) => call.begin > write.end && call.end < answer.begin && isSync(call, store),
    );
  });
  return unsafe.map(({ unique }) => unique);
}

const STORE = /^\d+<[^>]*>/;

/** True of calls on the data of the store in the folder `name`, or of any store. */
function isOfStore(args: string, name?: string): boolean {
  const path = STORE.exec(args)?.[0] ?? "";
  const file = name === undefined ? "/data.mdb" : `/${name}/data.mdb`;
  return path.includes(hex(file)) || path.includes(file);
}

function isSync({ name, args }: Call, store: string): boolean {
  return /^f(data)?sync$/.test(name) && isOfStore(args, store);
}

function descriptor(args: string): string {
  return /^\d+/.exec(args)?.[0] ?? "";
}

/** Text as `strace -xx` shows it. */
function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
