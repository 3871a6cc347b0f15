import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseKeygroupName, parseNodeName } from "../../../dist/core/ids.js";
import { connect, type Client } from "../../../src/client/index.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";

/** `watch` waits for a change of `w` that it makes itself; the rest as in `store`. */
const FILES = {
  "index.js": `import { kv } from "enoki";
export async function call(input) {
  if (input === "watch") {
    const changes = kv.watch("w");
    await kv.set("w", "changed");
    const { value } = await changes.next();
    await changes.return();
    return value.key + "=" + value.value;
  }
  if (input.startsWith("fresh ")) {
    const [, key, onStale] = input.split(" ");
    return (await kv.get(key, "missing", { maxStaleness: "150ms", onStale, within: "3s" }));
  }
  if (input.startsWith("add ")) return kv.counter(input.slice(4)).add(1);
  if (input.startsWith("count ")) {
    const [, key, maxStaleness, onStale] = input.split(" ");
    return kv.get(key, "missing", { maxStaleness, onStale });
  }
  const [key, value] = input.split("=");
  if (value === undefined) return (await kv.get(key)) ?? "missing";
  await kv.set(key, value);
  return "set";
}
`,
};

const NAME = parseKeygroupName("store");

let nodes: DistantNodes;
let cloud: DistantNode;
let far: DistantNode;
let edge: DistantNode;

/** Of a keygroup on `cloud` and `far`, a link of 200 ms apart; `edge` runs the function and has no data. */
beforeAll(async () => {
  nodes = await DistantNodes.open();
  cloud = await nodes.start("cloud", 200);
  edge = await nodes.start("edge");
  far = await nodes.start("far", 200);
  for (const { client } of [cloud, edge, far]) {
    await client.functions.deploy("store", zipFiles(FILES), {});
  }
  await edge.node.cluster?.directory.control.removeMember(NAME, parseNodeName("edge"));
  await until("edge has given it up", () => edge.node.members?.get(NAME) === undefined);
  await until("all know", async () => (await call(edge, "k")).status === 200);
});
afterAll(() => nodes?.remove());

function call({ functionsUrl }: DistantNode, body: string, session?: string) {
  const headers = session === undefined ? {} : { "Enoki-Session": session };
  return send(functionsUrl, "/store", { body, headers });
}

describe("a function on a node without a replica", () => {
  test("reads and writes at a member, and says how stale that may be", async () => {
    expect((await call(edge, "a=1")).text).toBe("set");
    const { text, headers } = await call(edge, "a");
    expect(text).toBe("1");
    expect(Number(headers["enoki-staleness-ms"])).toBeGreaterThan(0);
  });

  test("gives its caller a token of what the member shows, which other nodes honour", async () => {
    for (let n = 0; n < 10; n++) {
      const written = await call(edge, `moved=${n}`);
      const session = written.headers["enoki-session"] as string;
      expect(session).toMatch(/^[\w-]+$/);
      expect((await call(far, "moved", session)).text).toBe(String(n));
    }
  });

  test("and the other way: what a token has seen far away is waited for at the member", async () => {
    for (let n = 0; n < 5; n++) {
      const written = await call(far, `back=${n}`);
      const session = written.headers["enoki-session"] as string;
      expect((await call(edge, "back", session)).text).toBe(String(n));
    }
  });

  test("watches at a member", async () => {
    expect((await call(edge, "watch")).text).toBe("w=changed");
  });
});

describe("a read that has to be fresh", () => {
  test("fails at once, is served, waits in vain or asks another replica, as it says", async () => {
    const stale = await call(cloud, "fresh a fail");
    expect(stale).toMatchObject({ status: 500 });
    expect(stale.text).toContain("at most 150 ms were asked for");
    const served = await call(cloud, "fresh a serve");
    expect(served).toMatchObject({ status: 200, text: "1" });
    expect(Number(served.headers["enoki-staleness-ms"])).toBeGreaterThan(150);
    // The link takes longer than what is asked for: nobody can ever say that.
    for (const onStale of ["wait", "peer"]) {
      expect(await call(edge, `fresh a ${onStale}`), onStale).toMatchObject({ status: 500 });
    }
  });

  test("shows counters, here and at another replica", async () => {
    expect((await call(cloud, "add hits")).text).toBe("1");
    await until("far has it", async () => (await call(far, "hits")).text === "1");
    for (const node of [cloud, edge, far]) {
      for (const onStale of ["wait", "peer"]) {
        expect(await call(node, `count hits 1h ${onStale}`)).toMatchObject({ text: "1" });
        const vain = await call(node, `count hits 1ms ${onStale === "wait" ? "fail" : onStale}`);
        expect(vain).toMatchObject({ status: 500 });
      }
    }
  });

  test("over the API, too", async () => {
    const url = `${cloud.adminUrl}/v1/keygroups/store/keys/a`;
    const refused = await fetch(`${url}?maxStaleness=1ms&onStale=fail`);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      503,
      "ENOKI_STALE",
    ]);
    const served = await fetch(`${url}?maxStaleness=1ms&onStale=serve`);
    expect(Number(served.headers.get("enoki-staleness-ms"))).toBeGreaterThan(1);
    expect((await fetch(`${url}?maxStaleness=1h`)).status).toBe(200);
    expect(await cloud.client.kv("store").get("a", undefined, { maxStaleness: "1h" })).toBe("1");
    await expect(
      cloud.client.kv("store").get("a", undefined, { maxStaleness: "1ms", onStale: "peer" }),
    ).rejects.toMatchObject({ code: "ENOKI_STALE" });
  });
});

describe("the API of a node without a replica", () => {
  let client: Client;
  beforeAll(() => {
    client = connect(edge.adminUrl);
  });

  test("reads, writes and deletes at a member, with conditions", async () => {
    const kv = client.kv("store");
    const version = await kv.set("api", { n: 1 });
    expect(await kv.entry("api")).toMatchObject({ value: { n: 1 }, version, type: "json" });
    await expect(kv.set("api", "x", { ifAbsent: true })).rejects.toMatchObject({
      code: "ENOKI_VERSION_CONFLICT",
    });
    expect(await kv.get("nothing")).toBeUndefined();
    expect(await kv.increment("count", 2)).toBe(2);
    expect((await kv.explain("api")).versions).toHaveLength(1);
    expect(await kv.delete("api")).toBe(true);
    // Which of the members did all that is open.
    const seen = cloud.client.kv("store");
    await until("the other member knows", async () => !(await seen.exists("api")));
  });

  test("scans at a member, page by page", async () => {
    const kv = client.kv("store");
    for (let n = 0; n < 5; n++) await kv.set(`page/${n}`, `${n}`);
    expect(await kv.keys({ prefix: "page/" }).toArray()).toHaveLength(5);
    expect(await kv.scan({ prefix: "page/", reverse: true, limit: 1 }).toArray()).toEqual([
      ["page/4", "4"],
    ]);
  });

  test("watches at a member", async () => {
    const end = new AbortController();
    const changes = client.kv("store").watch({ prefix: "seen/" }, { signal: end.signal });
    const first = changes.next();
    // The watch begins when the member has been asked, which nobody is told.
    const writing = setInterval(() => void cloud.client.kv("store").set("seen/1", "x"), 50);
    try {
      expect((await first).value).toMatchObject({ key: "seen/1", value: "x" });
    } finally {
      clearInterval(writing);
      end.abort();
    }
  });

  test("exports and imports at a member", async () => {
    const lines = [];
    for await (const line of client.kv("store").export()) lines.push(line);
    expect(lines.map(({ key }) => key)).toContain("page/3");
    expect(await client.kv("store").import(lines)).toBe(lines.length);
  });

  test("carries the session of its client", async () => {
    const writer = connect(edge.adminUrl);
    for (let n = 0; n < 5; n++) {
      await writer.kv("store").set("api-moved", n);
      const reader = connect({ url: far.adminUrl, session: writer.session });
      expect(await reader.kv("store").get("api-moved")).toBe(n);
    }
  });

  test("says where the data are of a keygroup that it has no part in", async () => {
    await cloud.client.keygroups.create("other");
    const answer = await until("edge knows of it", async () => {
      const found = await fetch(`${edge.adminUrl}/v1/keygroups/other/keys/k`);
      const problem = (await found.json()) as { code: string; detail: string };
      return problem.detail.includes("ask cloud") && problem;
    });
    expect(answer.code).toBe("ENOKI_KEYGROUP_NOT_FOUND");
    await expect(client.keygroups.get("other")).rejects.toMatchObject({
      code: "ENOKI_KEYGROUP_NOT_FOUND",
      message: 'no replica of keygroup "other" is here: ask cloud',
    });
    expect((await client.keygroups.replicas("other")).replicas).toHaveLength(1);
  });
});
