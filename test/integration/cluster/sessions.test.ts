import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { KeygroupName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { encodeSession } from "../../../src/core/session.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, type Answer } from "../../helpers/node-calls.js";
import { deploy } from "./store-function.js";

const DELAY_MS = 300;
const PAIRS = 1000;

let nodes: DistantNodes;
let edge1: DistantNode;
let edge2: DistantNode;

beforeAll(async () => {
  nodes = await DistantNodes.open();
  edge1 = await nodes.start("edge1", DELAY_MS);
  edge2 = await nodes.start("edge2", DELAY_MS);
  await deploy(edge1);
  await deploy(edge2);
  await store(edge1, "k=v");
  await until("edge2 has it and is fresh", async () => {
    const answer = await store(edge2, "k");
    return answer.text === "v" && staleness(answer) < 3000;
  });
});
afterAll(() => nodes?.remove());

/** Calls the function with what a client has seen; `""` = it keeps no session. */
function store({ functionsUrl }: DistantNode, body: string, session = ""): Promise<Answer> {
  const headers = session === "" ? {} : { "Enoki-Session": session };
  return send(functionsUrl, "/store", { body, headers });
}

function staleness({ headers }: Answer): number {
  return Number(headers["enoki-staleness-ms"] ?? Number.NaN);
}

interface Outcomes {
  stale: number;
  failed: number;
  longestTokenBytes: number;
}

/** Clients that write on edge1, go over to edge2 and read there what they have written. */
async function moveAround(clients: number, keepsSession: boolean): Promise<Outcomes> {
  const outcomes = { stale: 0, failed: 0, longestTokenBytes: 0 };
  const run = async (client: number): Promise<void> => {
    let session = "";
    const call = async (node: DistantNode, body: string): Promise<Answer> => {
      const answer = await store(node, body, session);
      const token = answer.headers["enoki-session"];
      if (keepsSession && typeof token === "string") session = token;
      return answer;
    };
    for (let pair = 0; pair < PAIRS / clients; pair++) {
      const key = `${keepsSession ? "with" : "without"}-${client}`;
      const written = await call(edge1, `${key}=${pair}`);
      const read = await call(edge2, key);
      if (written.status !== 200 || read.status !== 200) outcomes.failed += 1;
      else if (read.text !== String(pair)) outcomes.stale += 1;
      outcomes.longestTokenBytes = Math.max(outcomes.longestTokenBytes, session.length);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => run(client)));
  return outcomes;
}

describe(`edge1 → edge2 over a link of ${DELAY_MS} ms`, () => {
  test("a client with its session reads what it wrote 1,000 times; without, more than half are stale", async () => {
    const without = await moveAround(5, false);
    expect(without.failed).toBe(0);
    expect(without.stale).toBeGreaterThan(PAIRS / 2);
    const kept = await moveAround(50, true);
    expect(kept).toMatchObject({ stale: 0, failed: 0 });
    expect(kept.longestTokenBytes).toBeLessThan(100);
  }, 180_000);

  test("an asynchronous call waits for what its caller has seen, and its result carries a token", async () => {
    const { headers } = await store(edge1, "async=written");
    const session = headers["enoki-session"] as string;
    const accepted = await send(edge2.functionsUrl, "/store", {
      body: "async",
      headers: { "Enoki-Session": session, Prefer: "respond-async" },
    });
    const location = accepted.headers.location as string;
    const result = await until("the result", async () => {
      const answer = await send(edge2.functionsUrl, location);
      return answer.status === 202 ? undefined : answer;
    });
    expect([result.status, result.text]).toEqual([200, "written"]);
    expect(result.headers["enoki-session"]).toMatch(/^[\w-]+$/);
    expect(staleness(result)).toBeGreaterThan(0);
  });

  test("our own headers take at most 150 bytes", async () => {
    const { rawHeaders } = await store(edge1, "k");
    const own = rawHeaders.flatMap((name, i) =>
      i % 2 === 0 && name.startsWith("Enoki-") ? [`${name}: ${rawHeaders[i + 1]}\r\n`] : [],
    );
    expect(own.map((line) => line.split(":")[0]).toSorted()).toEqual([
      "Enoki-Invocation-Id",
      "Enoki-Session",
      "Enoki-Staleness-Ms",
    ]);
    expect(own.join("").length).toBeLessThanOrEqual(150);
  });
});

describe("a token", () => {
  const codeAt = async (url: string, session: string): Promise<unknown> => {
    const answer = await fetch(url, { headers: { "Enoki-Session": session } });
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };

  test("of more than 2 KiB is refused on both ports, and nothing is run", async () => {
    const urls = [
      `${edge1.functionsUrl}/store`,
      `${edge1.adminUrl}/v1/keygroups/store/keys/k`,
    ] as const;
    for (const url of urls) {
      const long = "A".repeat(LIMITS.sessionTokenBytesMax + 1);
      expect(await codeAt(url, long)).toEqual([400, "ENOKI_SESSION_TOO_LARGE"]);
      expect(await codeAt(url, long.slice(1))).toEqual([400, "ENOKI_INVALID_INPUT"]);
    }
  });

  test("that would become longer than 2 KiB ends the session, and the call has been run", async () => {
    const entry = { generation: 1, epoch: 1, seen: [] };
    const names = Array.from({ length: 22 }, (_, at) => `${at}`.padStart(63, "x"));
    const keygroups = [...names, "y".repeat(50)].map(
      (name) => [name as KeygroupName, entry] as const,
    );
    const session = encodeSession({ hlc: 0, keygroups: new Map(keygroups) });
    expect(session.length).toBeLessThanOrEqual(LIMITS.sessionTokenBytesMax);
    const answer = await store(edge1, "grown=yes", session);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "ENOKI_SESSION_TOO_LARGE" });
    expect((await store(edge1, "grown")).text).toBe("yes");
  });
});

describe("the staleness that an answer tells", () => {
  test("is absent from a call that reads nothing", async () => {
    expect((await store(edge1, "k=v")).headers).not.toHaveProperty("enoki-staleness-ms");
  });

  test("is at least how long the link takes, and not below the true one", async () => {
    await store(edge1, "seen=0");
    for (let round = 1; round <= 5; round++) {
      const writtenMs = performance.now();
      await store(edge1, `seen=${round}`);
      // As soon as it can be seen there, it has been overwritten for as long as it was under way.
      await until(`round ${round}`, async () => {
        const answer = await store(edge2, "seen");
        const isStale = answer.text !== String(round);
        if (isStale) expect(staleness(answer)).toBeGreaterThan(0);
        else expect(performance.now() - writtenMs).toBeGreaterThan(DELAY_MS - 20);
        expect(staleness(answer)).toBeGreaterThanOrEqual(DELAY_MS);
        return !isStale;
      });
    }
  });

  test("grows while a member is away, and falls when it is back", async () => {
    nodes.each((proxy) => proxy.cut());
    const before = staleness(await store(edge2, "k"));
    await until("a second more", async () => staleness(await store(edge2, "k")) > before + 1000);
    expect((await store(edge2, "k")).text).toBe("v");
    nodes.each((proxy) => proxy.heal());
    await until("it falls", async () => staleness(await store(edge2, "k")) < 1500, 30_000);
  });
});

test("a single replica is never stale", async () => {
  const alone = await DistantNodes.open();
  try {
    const node = await alone.start("alone");
    await deploy(node);
    await store(node, "k=v");
    const { headers, text } = await store(node, "k");
    expect([text, headers["enoki-staleness-ms"], headers["enoki-session"]]).toEqual([
      "v",
      "0",
      undefined,
    ]);
  } finally {
    await alone.remove();
  }
});
