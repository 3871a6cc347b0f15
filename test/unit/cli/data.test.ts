import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { FakeKeygroup } from "../client/fake-keygroup.js";
import { json, lines, startFakeNode, type FakeNode } from "../client/fake-node.js";
import { runCli, type CliOptions, type CliResult } from "./run-cli.js";

let node: FakeNode;
let keygroup: FakeKeygroup;
let dir: string;

const kv = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
  runCli(["kv", ...args], { node: node.url, ...options });

beforeEach(async () => {
  node = await startFakeNode();
  keygroup = new FakeKeygroup(node, "things", ["k"]);
  dir = await mkdtemp(join(tmpdir(), "enoki-cli-"));
});

afterEach(async () => {
  await node.close();
  await rm(dir, { recursive: true });
});

test("get prints text and bytes as they are and JSON as JSON, without a newline", async () => {
  keygroup.store("k", "text/plain; charset=utf-8", "hä\n");
  expect((await kv(["get", "things", "k"])).stdout).toBe("hä\n");
  keygroup.store("k", "application/octet-stream", Buffer.of(0, 255));
  expect((await kv(["get", "things", "k"])).stdoutBytes).toEqual(Buffer.of(0, 255));
  keygroup.store("k", "application/json", '{"a":"b"}');
  expect((await kv(["get", "things", "k"])).stdout).toBe('{"a":"b"}');
  keygroup.store("k", "application/json", '"text"');
  expect((await kv(["get", "things", "k"])).stdout).toBe('"text"');
});

test("get ends the line on a terminal only", async () => {
  keygroup.store("k", "text/plain", "v");
  expect((await kv(["get", "things", "k"], { isTTY: true })).stdout).toBe("v\n");
});

test("get of a missing key prints nothing at all and exits with 1", async () => {
  expect(await kv(["get", "things", "k"])).toMatchObject({ code: 1, stdout: "", stderr: "" });
  expect(await kv(["get", "things", "k", "--json"])).toMatchObject({ code: 1, stdout: "" });
});

test("get --json tells type, version and expiry", async () => {
  keygroup.store("k", "application/octet-stream", Buffer.of(1), "1h");
  const { stdout } = await kv(["get", "things", "k", "--json"]);
  expect(JSON.parse(stdout)).toEqual({
    key: "k",
    value: { t: "bytes", v: "AQ==" },
    version: "v1",
    expiresAt: "2030-01-02T03:04:05.678Z",
  });
});

test.each([
  ["an argument", ["text"], "", "text/plain; charset=utf-8", "text"],
  ["a negative number", ["-5"], "", "text/plain; charset=utf-8", "-5"],
  ["standard input", ["-"], "from stdin", "text/plain; charset=utf-8", "from stdin"],
  ["JSON", ['{"a": 1}', "--json"], "", "application/json", '{"a":1}'],
  ["JSON text", ['"s"', "--json"], "", "application/json", '"s"'],
  ["bytes", ["-", "--bytes"], "\u0001", "application/octet-stream", "\u0001"],
])("set stores %s and prints the version", async (_, args, stdin, contentType, stored) => {
  const { stdout, code } = await kv(["set", "things", "k", ...args], { stdin });
  expect([stdout, code]).toEqual(["v1\n", 0]);
  expect(keygroup.stored.get("k")).toMatchObject({ contentType });
  expect(keygroup.stored.get("k")?.body.toString()).toBe(stored);
});

test("set @file stores a file; what is no text needs --bytes", async () => {
  const file = join(dir, "value");
  await writeFile(file, Buffer.of(0xff, 0xfe));
  const refused = await kv(["set", "things", "k", `@${file}`]);
  expect([refused.code, refused.stderr.split("\n")[0]]).toEqual([
    2,
    "error: the value is not UTF-8 text; say --bytes",
  ]);
  await kv(["set", "things", "k", `@${file}`, "--bytes"]);
  expect(keygroup.stored.get("k")?.body).toEqual(Buffer.of(0xff, 0xfe));
});

test("a failed condition of set exits with 1 and the code on stderr", async () => {
  keygroup.store("k", "text/plain", "v");
  const absent = await kv(["set", "things", "k", "x", "--if-absent"]);
  expect([absent.code, absent.stdout]).toEqual([1, ""]);
  expect(absent.stderr).toContain("code: ENOKI_VERSION_CONFLICT");
  expect((await kv(["set", "things", "k", "x", "--if-version", "v1", "--ttl", "5m"])).code).toBe(0);
  expect(keygroup.stored.get("k")?.ttl).toBe("5m");
});

test("incr prints the new value; rm says whether there was one", async () => {
  expect((await kv(["incr", "things", "k"])).stdout).toBe("1\n");
  expect((await kv(["incr", "things", "k", "-3"])).stdout).toBe("-2\n");
  expect((await kv(["rm", "things", "k"])).stdout).toBe("deleted\n");
  expect(await kv(["rm", "things", "k", "--json"])).toMatchObject({
    code: 0,
    stdout: '{"key":"k","existed":false}\n',
  });
});

test("ls prints keys a line each, with values where asked, as JSON lines for programs", async () => {
  node.on("GET /v1/keygroups/things/keys", ({ url }, response) => {
    const withValue = url.includes("values=true") ? { value: { t: "json", v: { a: 1 } } } : {};
    json(response, 200, { items: [{ key: "a\tb", ...withValue }], next: null });
  });
  expect((await kv(["ls", "things", "--prefix", "a"])).stdout).toBe("a\\tb\n");
  expect(node.requests.at(-1)?.url).toContain("prefix=a&");
  expect((await kv(["ls", "things", "--values"])).stdout).toBe('a\\tb = {"a":1}\n');
  expect((await kv(["ls", "things", "--values", "--json"])).stdout).toBe(
    '{"key":"a\\tb","value":{"t":"json","v":{"a":1}}}\n',
  );
});

test("export and import carry lines of JSON; a line that is none is named", async () => {
  const line = { key: "a", value: { t: "counter", v: { n: 1 } }, expiresAt: 5 };
  node.on("GET /v1/keygroups/things/export", (_, response) => lines(response, [line]));
  const { stdout } = await kv(["export", "things"]);
  expect(stdout).toBe(`${JSON.stringify(line)}\n`);

  node.on("POST /v1/keygroups/things/import", (_, response) =>
    json(response, 200, { imported: 1 }),
  );
  expect((await kv(["import", "things"], { stdin: stdout })).stdout).toBe("imported 1\n");
  expect(node.requests.at(-1)?.body.toString()).toBe(stdout);

  await writeFile(join(dir, "bad.jsonl"), `${stdout}\nnonsense\n`);
  const bad = await kv(["import", "things", join(dir, "bad.jsonl")]);
  expect([bad.code, bad.stderr.split("\n")[0]]).toEqual([
    2,
    "error: line 3 is no line of an export",
  ]);
  const missing = await kv(["import", "things", join(dir, "missing")]);
  expect([missing.code, missing.stderr.includes("ENOENT")]).toEqual([2, true]);
});

test("watch prints changes until a signal comes, and then ends with 0", async () => {
  node.on("GET /v1/keygroups/things/watch", (_, response) => {
    response.write('{"key":"a","value":{"t":"str","v":"x"},"version":"1"}\n');
    response.write('{"key":"a","value":null,"version":"2"}\n');
  });
  let stop = (): void => {};
  const { code, stdout } = await kv(["watch", "things"], {
    onStart: (signal) => (stop = signal),
    onStdout: (text) => text.includes("deleted") && stop(),
  });
  expect([code, stdout]).toEqual([0, "a = x\na deleted\n"]);
});
