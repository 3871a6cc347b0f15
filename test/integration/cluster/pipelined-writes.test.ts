import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { FunctionConfig } from "../../../src/client/index.js";
import { cloudAndEdge, type DistantNode, type DistantNodes } from "../../helpers/distant-nodes.js";
import { problemOf, send, until, zipFiles, type FunctionFiles } from "../../helpers/node-calls.js";

/** The same function in each way to write one: it writes two keys, and with `read` reads the first one back. */
const PYTHON = `import kv

def call(value):
    version = kv.set("a", value)
    kv.set("b", value)
    if value == "read":
        return kv.get("a") + " " + ("known" if version else "unknown")
    return "done"
`;
const AIO = `from kv import aio

async def call(value):
    version = await aio.set("a", value)
    await aio.set("b", value)
    if value == "read":
        return await aio.get("a") + " " + ("known" if version else "unknown")
    return "done"
`;
const NODE = `import { kv } from "enoki";
export async function call(value) {
  const version = await kv.set("a", value);
  await kv.set("b", value);
  if (value === "read") return (await kv.get("a")) + (version ? " known" : " unknown");
  return "done";
}
`;
const FUNCTIONS: Readonly<Record<string, FunctionFiles>> = {
  python: { "fn.py": PYTHON },
  aio: { "fn.py": AIO },
  node: { "index.js": NODE },
};

/** Of each link, one way. */
const DELAY_MS = 100;
const TRIP_MS = 2 * DELAY_MS;
/** So long that there is time between a write's arrival and that of its acknowledgement. */
const LONG_DELAY_MS = 1000;

let nodes: DistantNodes;
let cloud: DistantNode;
let edge: DistantNode;

/** Functions run on `edge` and have their data on `cloud`. */
beforeAll(async () => {
  ({ nodes, cloud, edge } = await cloudAndEdge());
  for (const [language, files] of Object.entries(FUNCTIONS)) {
    await deploy(language, files, {});
    await deploy(`${language}-early`, files, { remoteWrites: "pipelined" });
  }
});
afterAll(() => nodes?.remove());

async function deploy(name: string, files: FunctionFiles, config: FunctionConfig): Promise<void> {
  await edge.client.functions.deploy(name, zipFiles(files), config, { data: "at:cloud" });
  expect((await call(name, "first")).text).toBe("done");
}

function call(name: string, value: string) {
  return send(edge.functionsUrl, `/${name}`, { body: value });
}

/** The shorter of two calls: other work on the machine only makes them longer. */
async function shorterMs(name: string, value: string): Promise<number> {
  let shorter = Infinity;
  for (let n = 0; n < 2; n++) {
    const beganMs = performance.now();
    expect((await call(name, value)).status).toBe(200);
    shorter = Math.min(shorter, performance.now() - beganMs);
  }
  return shorter;
}

/** Does the same with the function in each language, at once. */
async function inAll(check: (language: string) => Promise<void>): Promise<void> {
  await Promise.all(Object.keys(FUNCTIONS).map(check));
}

const valueAtCloud = (name: string, key: string) => cloud.client.kv(name).get(key);

describe("two sets in a row, the data over a link", () => {
  beforeAll(() => nodes.each((proxy) => (proxy.delayMs = DELAY_MS)));

  test("take a trip each", async () => {
    await inAll(async (language) => {
      expect(await shorterMs(language, "write")).toBeGreaterThanOrEqual(2 * TRIP_MS - 5);
    });
  });

  test("take one trip with --remote-writes pipelined, and are there when the response is", async () => {
    await inAll(async (language) => {
      const name = `${language}-early`;
      const tookMs = await shorterMs(name, "write");
      expect(tookMs, language).toBeGreaterThanOrEqual(TRIP_MS - 5);
      expect(tookMs, language).toBeLessThan(2 * TRIP_MS);
      expect(await valueAtCloud(name, "a")).toBe("write");
      expect(await valueAtCloud(name, "b")).toBe("write");
    });
  });

  test("are seen by the reads behind them; what a set gives is unknown then", async () => {
    await inAll(async (language) => {
      expect((await call(language, "read")).text).toBe("read known");
      expect((await call(`${language}-early`, "read")).text).toBe("read unknown");
    });
  });
});

test("a link that breaks before the acknowledgement makes the call fail", async () => {
  nodes.each((proxy) => (proxy.delayMs = LONG_DELAY_MS));
  const answers = Object.keys(FUNCTIONS).map((language) => call(`${language}-early`, "cut"));
  await inAll(async (language) => {
    for (const key of ["a", "b"]) {
      const isThere = async () => (await valueAtCloud(`${language}-early`, key)) === "cut";
      await until(`${language}: ${key} is there`, isThere);
    }
  });
  nodes.each((proxy) => proxy.cut());
  for (const answer of answers) {
    expect(problemOf(await answer)).toMatchObject({
      status: 503,
      code: "ENOKI_WRITE_UNACKNOWLEDGED",
      cause: "ENOKI_OUTCOME_UNKNOWN",
    });
  }

  // Without a link nothing is sent, so nobody is told that it was written.
  expect((await call("python-early", "away")).status).toBeGreaterThanOrEqual(500);
  nodes.each((proxy) => {
    proxy.heal();
    proxy.delayMs = 0;
  });
  await inAll(async (language) => {
    const name = `${language}-early`;
    await until("the link is back", async () => (await call(name, "back")).status === 200);
    expect(await valueAtCloud(name, "a")).toBe("back");
  });
});

test("where the data lie here, a set gives its version as ever", async () => {
  await edge.client.functions.deploy("here", zipFiles({ "index.js": NODE }), {
    remoteWrites: "pipelined",
  });
  expect((await call("here", "read")).text).toBe("read known");
  expect(await edge.client.functions.get("here")).toMatchObject({
    config: { remoteWrites: "pipelined" },
  });
});

test("data that move back and forth meanwhile lose no write that was answered, and fail no call", async () => {
  nodes.each((proxy) => (proxy.delayMs = 5));
  const code = `import { kv } from "enoki";
export async function call(n) {
  await kv.set("a/" + n, n);
  await kv.set("b/" + n, n);
  return n;
}
`;
  const config = { remoteWrites: "pipelined" } as const;
  const files = zipFiles({ "index.js": code });
  await edge.client.functions.deploy("moved", files, config, { data: "at:cloud" });
  const answered: string[] = [];
  const failed: string[] = [];
  const over = new AbortController();
  const load = async (worker: number): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      const { status, text } = await call("moved", `${worker}-${n}`);
      (status === 200 ? answered : failed).push(text);
    }
  };
  const loading = Promise.all([0, 1, 2, 3].map(load));
  try {
    for (const place of ["at:edge", "at:cloud", "at:edge", "at:cloud"]) {
      const before = answered.length;
      await until("calls go on", () => answered.length > before + 10);
      await cloud.client.keygroups.move("moved", place);
      const isThere = async (): Promise<boolean> => {
        const { data, replicas } = await cloud.client.keygroups.replicas("moved");
        return data === place && replicas.length === 1 && replicas[0]?.state === "serving";
      };
      await until(place, isThere, 60_000);
    }
  } finally {
    over.abort();
    await loading;
  }
  expect(failed).toEqual([]);
  const keys = new Set<string>();
  for await (const [key] of cloud.client.kv("moved").scan("")) keys.add(key);
  const missing = answered.flatMap((n) => [`a/${n}`, `b/${n}`]).filter((key) => !keys.has(key));
  expect(missing).toEqual([]);
});
