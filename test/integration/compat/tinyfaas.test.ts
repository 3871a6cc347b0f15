import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { packFolder } from "../../../src/archive/pack.js";
import { deployFiles, send, until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram } from "../../helpers/node-program.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { curl, streamFixture, upload, zipFixture } from "./support.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
});
afterAll(() => running?.remove());

const admin = (path: string, body?: string) => curl(running.adminUrl, path, body);
const call = (name: string, body: string, headers: Record<string, string> = {}) =>
  send(running.functionsUrl, `/${name}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
  });

describe("the management endpoints", () => {
  test("upload, list, delete and wipe functions, in tinyFaaS's form", async () => {
    const uploaded = await upload(running, "python-headers", "python3", { name: "one" });
    expect(uploaded.status, uploaded.text).toBe(200);
    expect(
      uploaded.text
        .trim()
        .split("\n")
        .every((line) => line.endsWith("/one")),
    ).toBe(true);
    await upload(running, "node-headers", "nodejs", { name: "two" });
    expect((await admin("/list")).text.trim().split("\n").sort()).toEqual(["one", "two"]);

    const deleted = await admin("/delete", JSON.stringify({ name: "one" }));
    expect(deleted).toMatchObject({ status: 200, text: "" });
    expect((await call("one", "x")).status).toBe(404);
    expect((await admin("/delete", JSON.stringify({ name: "one" }))).status).toBe(500);

    const wiped = await send(running.adminUrl, "/wipe", { method: "POST" });
    expect(wiped).toMatchObject({ status: 200, text: "" });
    expect((await admin("/list")).text).toBe("");
    expect((await send(running.adminUrl, "/wipe", { method: "POST" })).status).toBe(200);
  });

  test("a zip that was written into a pipe is taken like any other", async () => {
    const zip = await streamFixture("python-headers");
    const body = JSON.stringify({ name: "piped", env: "python3", threads: 1, zip, envs: [] });
    const uploaded = await admin("/upload", body);
    expect(uploaded.status, uploaded.text).toBe(200);
    expect((await call("piped", "x")).status).toBe(200);
    await admin("/delete", JSON.stringify({ name: "piped" }));
  });

  test("an upload of a name that is there replaces it, and so does the number of its instances", async () => {
    await upload(running, "shell-echo", "binary", { name: "again", threads: 1 });
    expect(
      (await upload(running, "node-express", "nodejs", { name: "again", threads: 3 })).status,
    ).toBe(200);
    expect((await call("again", "text")).text).toBe("text");
    const { config } = await running.client.functions.get("again");
    expect(config.maxInstances).toBe(3);
  });

  test("envs reach the function", async () => {
    const files = {
      "fn.py": "import os\ndef fn(i): return os.environ['A'] + os.environ['B']\n",
      "requirements.txt": "",
    };
    const body = {
      name: "envs",
      env: "python3",
      threads: 1,
      zip: zipFiles(files).toString("base64"),
      envs: ["A=x=y", "B="],
    };
    expect((await admin("/upload", JSON.stringify(body))).status).toBe(200);
    expect((await call("envs", "")).text).toBe("x=y");
  });

  test.each([
    ["no JSON", "name=x"],
    ["no zip", JSON.stringify({ name: "x", env: "python3", threads: 1 })],
    [
      "a zip that is not base64",
      JSON.stringify({ name: "x", env: "python3", threads: 1, zip: "%%" }),
    ],
    ["a bad name", JSON.stringify({ name: "no/name", env: "python3", threads: 1, zip: "UEs=" })],
  ])("an upload with %s is 400 and no problem document", async (_, body) => {
    const answer = await admin("/upload", body);
    expect(answer.status).toBe(400);
    expect(answer.contentType).toMatch(/^text\/plain/);
  });

  test("an upload that cannot be built is 500, and the one before keeps serving", async () => {
    await upload(running, "shell-echo", "binary", { name: "stays" });
    for (const [env, zip] of [
      ["python3", await zipFixture("shell-echo")],
      ["fortran", await zipFixture("kv-echo")],
      ["python3", "bm8gemlw"],
    ]) {
      const body = JSON.stringify({ name: "stays", env, threads: 1, zip });
      expect((await admin("/upload", body)).status).toBe(500);
    }
    expect((await call("stays", "hi\n")).text).toBe("hi\nsaid on the side\n");
  });

  test("the wrong method is 400, and /uploadURL has to be allowed", async () => {
    expect((await admin("/upload")).status).toBe(400);
    expect((await admin("/list", "")).status).toBe(400);
    const body = JSON.stringify({
      name: "x",
      env: "python3",
      threads: 1,
      url: "http://127.0.0.1:9/x.zip",
      subfolder_path: "",
    });
    expect((await admin("/uploadURL", body)).status).toBe(403);
  });

  test("logs show what a function wrote, one line each, of one function or of all", async () => {
    await deployFiles(
      running,
      "talks",
      { "fn.py": "def fn(i):\n    print('heard ' + i)\n" },
      { runtime: "python3" },
    );
    await deployFiles(
      running,
      "alsotalks",
      { "fn.py": "def fn(i):\n    print('also ' + i)\n" },
      { runtime: "python3" },
    );
    await call("talks", "a");
    await call("alsotalks", "b");
    const one = await until("the line", async () => {
      const { text } = await admin("/logs?name=talks");
      return text.includes("heard a") && text;
    });
    expect(one).toMatch(/^function=talks handler=\S+ \d{4}-\d\d-\d\dT\S+ heard a$/m);
    expect(one).not.toContain("also b");
    const all = await until("both lines", async () => {
      const { text } = await admin("/logs");
      return text.includes("also b") && text;
    });
    expect(all).toContain("heard a");
    expect((await admin("/logs?name=nobody")).status).toBe(500);
  });
});

describe("python3", () => {
  beforeAll(() => upload(running, "python-headers", "python3", { name: "headers" }));

  test("gets text whatever the content type, and header names in Title-Case", async () => {
    const answer = await call("headers", '{"a":1}', {
      "X-EMAIL": "me@example.org",
      "content-type": "application/json",
    });
    const seen = JSON.parse(answer.text) as { input: unknown; own: string; names: string[] };
    expect(seen.input).toBe('{"a":1}');
    expect(seen.own).toBe("me@example.org");
    expect(seen.names).toEqual(
      expect.arrayContaining(["Content-Type", "Content-Length", "Host", "X-Email"]),
    );
    for (const name of seen.names) expect(name).toMatch(/^[A-Z0-9][a-z0-9]*(-[A-Z0-9][a-z0-9]*)*$/);
  });

  test("gets None for empty input, where python gets an empty string", async () => {
    expect(JSON.parse((await call("headers", "")).text)).toMatchObject({ input: null });
    await deployFiles(running, "ours", { "fn.py": "def call(i): return repr(i)\n" });
    expect((await call("ours", "")).text).toBe("''");
  });

  test("None is an empty answer with 200", async () => {
    expect(await call("headers", "x", { "x-nothing": "" })).toMatchObject({
      status: 200,
      text: "",
    });
  });

  test("any method calls it", async () => {
    for (const method of ["GET", "PUT", "DELETE"]) {
      expect((await send(running.functionsUrl, "/headers", { method })).status).toBe(200);
    }
  });
});

describe("nodejs", () => {
  beforeAll(async () => {
    await upload(running, "node-headers", "nodejs", { name: "nodeheaders" });
    await upload(running, "node-express", "nodejs", { name: "express" });
  });

  test("gets text whatever the content type, and header names in lower case", async () => {
    const answer = await call("nodeheaders", '{"a":1}', {
      "X-EMAIL": "me@example.org",
      "content-type": "application/json",
    });
    const seen = JSON.parse(answer.text) as { names: string[] };
    expect(seen).toMatchObject({ body: '{"a":1}', type: "string", own: "me@example.org" });
    expect(seen.names).toEqual(expect.arrayContaining(["content-type", "x-email"]));
    expect(seen.names.map((name) => name.toLowerCase())).toEqual(seen.names);
    expect(answer.headers["content-type"]).toMatch(/^application\/json/);
  });

  test.each([
    ["text", 200, "text", /^text\//],
    ["number", 200, "7", /^application\/json/],
    ["status", 404, "not here", /^text\//],
    ["header", 200, "<p>", /^text\/html/],
    ["later", 200, "later", /^text\//],
    ["parts", 200, "ab", /./],
  ])("%s: the answer is passed on with its own status", async (way, status, text, type) => {
    const answer = await call("express", way);
    expect(answer).toMatchObject({ status, text });
    expect(answer.headers["content-type"]).toMatch(type);
    if (way === "header") expect(answer.headers["x-own"]).toBe("yes");
  });

  test("an empty answer and an exception are told apart", async () => {
    expect(await call("express", "nothing")).toMatchObject({ status: 200, text: "" });
    expect((await call("express", "throw")).status).toBe(500);
  });
});

test("binary by /upload gives stdout and stderr, by our own deploy only stdout", async () => {
  await upload(running, "shell-echo", "binary", { name: "theirs" });
  expect((await call("theirs", "in\n")).text).toBe("in\nsaid on the side\n");
  const archive = await packFolder(
    join(import.meta.dirname, "../../fixtures/functions/shell-echo"),
  );
  await running.client.functions.deploy("oursh", archive);
  expect((await call("oursh", "in\n")).text).toBe("in\n");
});

test("X-tinyFaaS-Async answers 202 at once, whatever its value", async () => {
  await upload(running, "node-express", "nodejs", { name: "express" });
  for (const value of ["true", "", "0"]) {
    const answer = await call("express", "text", { "X-tinyFaaS-Async": value });
    expect(answer.status).toBe(202);
    const done = await until("it is done", async () => {
      const result = await send(running.functionsUrl, answer.headers["location"] as string);
      return result.status === 200 && result;
    });
    expect(done.text).toBe("text");
  }
});

test("curl itself uploads and calls", async () => {
  const run = promisify(execFile);
  const body = JSON.stringify({
    name: "curled",
    env: "binary",
    threads: 1,
    zip: await zipFixture("shell-echo"),
    envs: [],
  });
  const dir = await mkdtemp(join(tmpdir(), "enoki-curl-"));
  try {
    await writeFile(join(dir, "body"), body);
    const uploaded = await run("curl", [
      "-sS",
      `${running.adminUrl}/upload`,
      "--data",
      `@${join(dir, "body")}`,
    ]);
    expect(uploaded.stdout).toContain("/curled");
    const called = await run("curl", [
      "-sS",
      "-X",
      "POST",
      `${running.functionsUrl}/curled`,
      "--data",
      "x",
    ]);
    expect(called.stdout).toBe("xsaid on the side\n");
    const wiped = await run("curl", [
      "-sS",
      "-X",
      "POST",
      `${running.adminUrl}/wipe`,
      "--data",
      "",
      "-w",
      "%{http_code}",
    ]);
    expect(wiped.stdout).toBe("200");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("SIGINT ends an idle node within a second", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "enoki-sigint-"));
  const flags = ["--isolation", "process"];
  try {
    const node = await startProgram(dataDir, flags);
    const archive = Buffer.from(await zipFixture("kv-echo"), "base64");
    await node.client.functions.deploy("echo", archive, { runtime: "python3-kv" });
    // A client that keeps its connection open is idle, too.
    const url = `${node.functionsUrl}/echo`;
    const answer = await fetch(url, { method: "POST", body: "update a b" });
    expect(await answer.text()).toBe("None");
    const began = performance.now();
    expect(await node.end("SIGINT")).toBe(0);
    expect(performance.now() - began).toBeLessThan(1000);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
