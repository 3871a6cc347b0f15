import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import {
  startNodes,
  type ClusterNode,
  type RunningCluster,
} from "../../helpers/running-cluster.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

/** Runs the body as code with `other`, another keygroup; what it throws is answered by its code. */
const TYPESCRIPT = {
  "index.mjs": `import { kv } from "enoki";
const Work = (async () => {}).constructor;
export async function call(input) {
  const other = kv.keygroup("weather");
  try {
    return JSON.stringify((await new Work("kv", "other", input)(kv, other)) ?? null);
  } catch (error) {
    return error.code ?? String(error);
  }
}
`,
};

const PYTHON = {
  "fn.py": `import json
import kv

def call(i: str):
    scope = {"kv": kv, "other": kv.keygroup("weather"), "out": []}
    try:
        exec(i, scope)
    except kv.Error as error:
        return error.code
    return json.dumps(scope["out"])
`,
};

const PYTHON_AIO = {
  "fn.py": `import json
from kv import aio as kv

async def call(i: str):
    scope = {"kv": kv, "other": kv.keygroup("weather"), "out": []}
    lines = "".join("    " + line + chr(10) for line in i.splitlines())
    exec("async def work():" + chr(10) + "    global out" + chr(10) + lines, scope)
    try:
        await scope["work"]()
    except kv.Error as error:
        return error.code
    return json.dumps(scope["out"])
`,
};

const READ = `return (await other.get("k")) ?? "missing";`;

/** A program that asks for `PATH` of its input, by `METHOD`. */
const PROGRAM = {
  "fn.sh": `#!/bin/sh
read -r method path body
exec curl -s --unix-socket "$ENOKI_KV_SOCKET" -X "$method" \
  \${body:+--data "$body"} -w ' %{http_code}' "http://kv$path"
`,
};

async function run(functionsUrl: string, name: string, code: string): Promise<string> {
  const answer = await send(functionsUrl, `/${name}`, { body: code });
  return answer.status === 200 ? answer.text : `${answer.status} ${answer.text}`;
}

describe("on a node that is alone", () => {
  let node: RunningNode;

  beforeAll(async () => {
    node = await startNode(PROCESS_ISOLATION);
    const { functions, keygroups } = node.client;
    await keygroups.create("weather", {});
    await functions.deploy("ts", zipFiles(TYPESCRIPT));
    await functions.deploy("py", zipFiles(PYTHON));
    await functions.deploy("aio", zipFiles(PYTHON_AIO));
    await functions.deploy("program", zipFiles(PROGRAM));
  });
  afterAll(() => node?.remove());

  const ts = (code: string): Promise<string> => run(node.functionsUrl, "ts", code);
  const grant = (to: string, rights: ("read" | "write" | "admin")[]) =>
    node.client.keygroups.grant("weather", to, rights);

  test("nobody but its own function reaches a keygroup that was not granted, or is none", async () => {
    expect(await ts(READ)).toBe("ENOKI_FORBIDDEN");
    expect(await ts(`return kv.keygroup("nothing").set("k", 1);`)).toBe("ENOKI_FORBIDDEN");
    const [plain, aio] = [`out.append(other.get("k"))`, `await other.set("k", 1)`];
    expect(await run(node.functionsUrl, "py", plain)).toBe("ENOKI_FORBIDDEN");
    expect(await run(node.functionsUrl, "aio", aio)).toBe("ENOKI_FORBIDDEN");
    expect(await ts(`return kv.keygroup("a/b").get("k");`)).toBe("ENOKI_INVALID_NAME");
  });

  test("all methods work on a granted one, in TypeScript and both ways in Python", async () => {
    for (const name of ["ts", "py", "aio"]) await grant(`function:${name}`, ["read", "write"]);
    await ts(`await kv.set("k", "own");`);
    const inTypeScript = await ts(`
await other.set("k", "theirs");
const out = [await other.get("k"), (await other.entry("k")).value, await other.exists("k")];
out.push(await other.keys("").toArray(), await other.increment("n"), await other.map("m").add("f", 2));
out.push(await other.update("u", () => 5), await other.delete("u"), await other.siblings("k"));
out.push((await other.batch().set("b", 1).delete("b").commit()).repeated, await kv.get("k"));
return out;`);
    expect(JSON.parse(inTypeScript)).toEqual([
      "theirs",
      "theirs",
      true,
      ["k"],
      1,
      2,
      5,
      true,
      ["theirs"],
      false,
      "own",
    ]);
    const python = (wait: string, keys: string): string =>
      `
${wait}other.set("p", {"a": 1})
out += [${wait}other.get("p"), (${wait}other.entry("p")).value, ${wait}other.exists("p"), ${wait}kv.get("k", None)]
out += [${wait}other.increment("n"), ${wait}other.update("u", lambda v: 5), ${wait}other.delete("u")]
out += [${wait}other.get_many(["p"]), ${keys}, (${wait}other.batch().set("b", 1).commit()).repeated]
out += [${wait}other.get("k", max_staleness="1s"), ${wait}other.counter("n").value()]`.trim();
    const expected = (n: number): unknown[] => [
      { a: 1 },
      { a: 1 },
      true,
      null,
      n,
      5,
      true,
      { p: { a: 1 } },
      ["p"],
      false,
      "theirs",
      n,
    ];
    const plain = python("", `list(other.keys(prefix="p"))`);
    expect(JSON.parse(await run(node.functionsUrl, "py", plain))).toEqual(expected(2));
    const awaited = python("await ", `[k async for k in other.keys(prefix="p")]`);
    expect(JSON.parse(await run(node.functionsUrl, "aio", awaited))).toEqual(expected(3));
    const modules = `out.append(other.aio is not kv.aio and other.keygroup("py") is kv)`;
    expect(await run(node.functionsUrl, "py", modules)).toBe("[true]");
  });

  test("a program reaches one where it was granted, and within a second no more", async () => {
    const program = (line: string): Promise<string> =>
      run(node.functionsUrl, "program", `${line}\n`);
    const get = "GET /keygroups/weather/keys/of-program";
    expect(await program(get)).toMatch(/"code":"ENOKI_FORBIDDEN".* 403$/);
    await grant("function:program", ["read"]);
    expect(await program(get)).toMatch(/"code":"ENOKI_KEY_NOT_FOUND".* 404$/);
    const put = "PUT /keygroups/weather/keys/of-program sunny";
    expect(await program(put)).toMatch(/"code":"ENOKI_FORBIDDEN".*no right to write.* 403$/);
    await grant("function:program", ["read", "write"]);
    expect(await program(put)).toBe(" 204");
    expect(await program(get)).toBe("sunny 200");
    expect(await program("GET /keygroups/weather/keys?prefix=of-")).toBe('["of-program"] 200');
    expect(await program("POST /keygroups/weather/keys/count-of-program?increment=2")).toBe(
      "2 200",
    );
    expect(await program("GET /keys/of-program")).toMatch(/ENOKI_KEY_NOT_FOUND/);
    expect(await program("GET /keygroups/program/keys/of-program")).toMatch(/ENOKI_KEY_NOT_FOUND/);
    expect(await program("GET /keygroups/weather")).toMatch(/ENOKI_NOT_FOUND/);
    expect(await program("GET /keygroups/no_name/keys/k")).toMatch(/ENOKI_INVALID_NAME/);
    await node.client.keygroups.revoke("weather", "function:program");
    expect(await program(get)).toMatch(/"code":"ENOKI_FORBIDDEN".* 403$/);
  });

  test("watches of a granted one tell of its changes, and of it alone", async () => {
    expect(
      await run(
        node.functionsUrl,
        "py",
        `
with other.watch("") as changes:
    kv.set("w", "own")
    other.set("w", "theirs")
    out.append(next(changes).value)
out.append(other.get("w"))`.trim(),
      ),
    ).toBe('["theirs", "theirs"]');
    expect(
      await run(
        node.functionsUrl,
        "aio",
        `
import asyncio
changes = other.watch("")
first = asyncio.ensure_future(changes.__anext__())
await asyncio.sleep(0)
await kv.set("w", "own")
await other.set("w", "new")
out.append((await first).value)
await changes.aclose()`.trim(),
      ),
    ).toBe('["new"]');
  });

  test("reads need the right to read, writes that to write, and what does both needs both", async () => {
    const reads = [`get("k")`, `entry("k")`, `scan("").toArray()`, `counter("n").value()`];
    const writes = [`set("x", 1)`, `delete("x")`, `batch().increment("n").commit()`];
    const both = [`increment("n")`, `update("x", () => 1)`, `counter("n").add(1)`];
    const outcomes = async (some: string[]): Promise<string[]> => [
      ...new Set(await Promise.all(some.map((use) => ts(`await other.${use}; return "done";`)))),
    ];
    await grant("function:ts", ["read"]);
    expect(await outcomes(reads)).toEqual([`"done"`]);
    expect(await outcomes([...writes, ...both])).toEqual(["ENOKI_FORBIDDEN"]);
    await grant("function:ts", ["write"]);
    expect(await outcomes(writes)).toEqual([`"done"`]);
    expect(await outcomes([...reads, ...both])).toEqual(["ENOKI_FORBIDDEN"]);
    await grant("function:ts", ["admin"]);
    expect(await outcomes([...reads, ...writes, ...both])).toEqual([`"done"`]);
  });

  test("a running instance loses the right at once, and its watch ends with the reason", async () => {
    await grant("function:ts", ["read"]);
    const watching = ts(`
const next = other.watch("").next();
await kv.set("watches", 1);
await next;`);
    await until("it watches", async () => (await ts(`return kv.get("watches");`)) === "1");
    await node.client.keygroups.revoke("weather", "function:ts");
    expect(await watching).toBe("ENOKI_FORBIDDEN");
    expect(await ts(READ)).toBe("ENOKI_FORBIDDEN");
  });

  test("FReD 18: a keygroup that is made again has no rights left over, also after a restart", async () => {
    const { client } = node;
    await grant("function:ts", ["read", "write"]);
    await client.keygroups.remove("weather");
    expect(await ts(READ)).toBe("ENOKI_FORBIDDEN");
    await client.keygroups.create("weather", {});
    expect(await client.keygroups.grants("weather")).toEqual([]);
    expect(await ts(READ)).toBe("ENOKI_FORBIDDEN");
    await grant("function:ts", ["read"]);
    node = await node.restart();
    expect(await ts(READ)).toBe(`"missing"`);
    await node.client.keygroups.remove("weather");
    await node.client.keygroups.create("weather", {});
    node = await node.restart();
    expect(await ts(READ)).toBe("ENOKI_FORBIDDEN");
  });

  test.each([
    "function:ts|weather",
    "function:ts/weather",
    "function:ts,read",
    "function:ts\0",
    "function:*",
    "user:ts",
    "ts",
    "function:",
    "token:nobody",
  ])("FReD 17: no name gives rights to another one: %j is refused", async (to) => {
    await expect(grant(to, ["read"])).rejects.toMatchObject({
      code: expect.stringMatching(
        /^ENOKI_(?:INVALID_NAME|INVALID_INPUT|TOKEN_NOT_FOUND)$/,
      ) as string,
    });
    expect(await node.client.keygroups.grants("weather")).toEqual([]);
  });
});

describe("in a cluster", () => {
  let cluster: RunningCluster;
  let cloud: ClusterNode;
  let edge: ClusterNode;

  beforeAll(async () => {
    cluster = await startNodes(["cloud", "edge"]);
    [cloud, edge] = cluster.nodes as [ClusterNode, ClusterNode];
    await cloud.client.keygroups.create("weather", { data: "at:cloud" });
    await edge.client.functions.deploy("ts", zipFiles(TYPESCRIPT));
  });
  afterAll(() => cluster?.remove());

  const on = (code: string): Promise<string> => run(edge.functionsUrl, "ts", code);

  async function follows(work: Promise<unknown>, code: string, expected: string): Promise<void> {
    await work;
    const doneMs = performance.now();
    await until(expected, async () => (await on(code)) === expected);
    expect(performance.now() - doneMs).toBeLessThan(1000);
  }

  test("rights that another node gives and takes count within a second, on data that are elsewhere", async () => {
    const { keygroups } = cloud.client;
    expect(await on(READ)).toBe("ENOKI_FORBIDDEN");
    await follows(keygroups.grant("weather", "function:ts", ["read"]), READ, `"missing"`);
    expect(await on(`return other.set("k", 1);`)).toBe("ENOKI_FORBIDDEN");
    const write = `await other.set("k", "v"); return other.get("k");`;
    await follows(keygroups.grant("weather", "function:ts", ["read", "write"]), write, `"v"`);
    expect(await cloud.client.kv("weather").get("k")).toBe("v");
    await follows(keygroups.revoke("weather", "function:ts"), READ, "ENOKI_FORBIDDEN");
  });

  test("a watch of data that are elsewhere ends with the right", async () => {
    const { keygroups } = cloud.client;
    await follows(keygroups.grant("weather", "function:ts", ["read"]), READ, `"v"`);
    const watching = on(`
const changes = other.watch("");
const next = changes.next();
await kv.set("watches", 1);
await kv.set("seen", (await next).value.key);
await changes.next();
await changes.next();`);
    await until("it watches", async () => (await on(`return kv.get("watches");`)) === "1");
    await until("it sees", async () => {
      await cloud.client.kv("weather").set("w", "1");
      return (await on(`return kv.get("seen");`)) === `"w"`;
    });
    await keygroups.revoke("weather", "function:ts");
    expect(["ENOKI_FORBIDDEN", "null"]).toContain(await watching);
    await follows(Promise.resolve(), READ, "ENOKI_FORBIDDEN");
  });

  test("FReD 18: a keygroup that is made again has no rights left over", async () => {
    const { keygroups } = cloud.client;
    await follows(keygroups.grant("weather", "function:ts", ["read"]), READ, `"v"`);
    await keygroups.remove("weather");
    await keygroups.create("weather", { data: "at:cloud" });
    await until("it is gone", async () => (await on(READ)) === "ENOKI_FORBIDDEN");
    expect(await keygroups.grants("weather")).toEqual([]);
    expect(await edge.client.keygroups.grants("weather")).toEqual([]);
  });
});
