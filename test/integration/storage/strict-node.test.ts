import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";

import { send, until } from "../../helpers/node-calls.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { connect } from "../../../src/client/index.js";
import { joinCalls, whyNoTrace, type Call } from "./disk-trace.js";

const CLI = join(import.meta.dirname, "../../../dist/cli/main.js");
const TRACED = "read,write,writev,pwrite64,pwritev,fdatasync,fsync,openat";
/** Holds a page of a store, and the head of a request or an answer. */
const SHOWN_BYTES = 20_000;
const WRITERS = 32;
const ROUNDS = 10;
const obstacle = whyNoTrace();

describe.skipIf(obstacle)(
  `the system calls of a strict node${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    it("sync each write after it was written and before its answer leaves, one writer at a time", async () => {
      const { calls, keys } = await traceWrites(1, 40);
      expect(unsynced(calls, keys)).toEqual([]);
    });

    it("do so for 32 writers at once, with far fewer syncs than writes", async () => {
      const { calls, keys } = await traceWrites(WRITERS, ROUNDS);
      expect(keys).toHaveLength(WRITERS * ROUNDS);
      expect(unsynced(calls, keys)).toEqual([]);
      const syncs = calls.filter(isSync).length;
      expect(syncs).toBeGreaterThan(0);
      expect(syncs).toBeLessThan(keys.length / 4);
    });
  },
);

/** Lets writers set keys of a traced node over HTTP; gives its calls and the keys. */
async function traceWrites(
  writers: number,
  rounds: number,
): Promise<{ calls: Call[]; keys: string[] }> {
  const dir = await temporaryFolder();
  const trace = join(dir, "trace");
  const options = ["-f", "-y", "-xx", "-s", `${SHOWN_BYTES}`, "-e", `trace=${TRACED}`, "-o", trace];
  const up = [CLI, "up", "--json", "--data-dir", join(dir, "data"), "--isolation", "process"];
  const ports = ["--function-port", "0", "--admin-port", "0"];
  const strace = spawn("strace", [...options, process.execPath, ...up, ...ports], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(strace, "exit");
  const [line] = (await once(createInterface({ input: strace.stdout }), "line")) as [string];
  const { admin, pid } = JSON.parse(line) as { admin: string; pid: number };
  const keys: string[] = [];
  try {
    await connect(admin).keygroups.create("kg", { durability: "strict" });
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let round = 0; round < rounds; round++) {
          const key = `key-${writer}-${round}-end`;
          keys.push(key);
          const path = `/v1/keygroups/kg/keys/${key}`;
          expect((await send(admin, path, { method: "PUT", body: "x", agent })).status).toBe(200);
        }
        agent.destroy();
      }),
    );
  } finally {
    process.kill(pid, "SIGTERM");
    await ended;
  }
  const text = await until("the trace is whole", () => readFile(trace, "latin1"));
  return { calls: joinCalls(text).filter(({ result }) => result >= 0), keys };
}

/** Keys whose answer left without a sync of the store between it and the write. */
function unsynced(calls: readonly Call[], keys: readonly string[]): string[] {
  const syncs = calls.filter(isSync);
  const written = calls.filter(({ name, args }) => name !== "read" && isOfStore(args));
  const received = calls.filter(({ name, args }) => name === "read" && !isOfStore(args));
  const sent = calls.filter(({ name, args }) => /^writev?$/.test(name) && args.includes(ANSWER));
  return keys.filter((key) => {
    const request = received.find(({ args }) => args.includes(hex(`/keys/${key} `)));
    const write = written.find(({ args }) => args.includes(hex(key)));
    // A connection has one request at a time, so its next answer belongs to it.
    const answer =
      request &&
      sent.find(
        ({ begin, args }) => begin > request.end && descriptor(args) === descriptor(request.args),
      );
    if (!write || !answer) throw new Error(`${key} is not in the trace`);
    return !syncs.some(({ begin, end }) => begin > write.end && end < answer.begin);
  });
}

const STORE = /^\d+<[^>]*>/;

function isOfStore(args: string): boolean {
  const path = STORE.exec(args)?.[0] ?? "";
  return path.includes(hex("/kg-kg/data.mdb")) || path.includes("/kg-kg/data.mdb");
}

function isSync({ name, args }: Call): boolean {
  return /^f(data)?sync$/.test(name) && isOfStore(args);
}

function descriptor(args: string): string {
  return /^\d+/.exec(args)?.[0] ?? "";
}

/** Text as `strace -xx` shows it. */
function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

const ANSWER = hex("HTTP/1.1 200");
