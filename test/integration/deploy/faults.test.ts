import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { craftZip } from "../../helpers/crafted-zip.js";
import { deployFiles, send, zipFiles } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "kept", { "fn.py": "def call(i): return 'first'\n" });
});
afterAll(() => running?.remove());

const kept = async () => (await send(running.functionsUrl, "/kept")).text;

/** Deploys what cannot run over what runs; calls go on before, meanwhile and afterwards. */
async function refused(archive: Uint8Array, runtime?: string): Promise<EnokiError> {
  expect(await kept()).toBe("first");
  const progress = { isDone: false };
  const deploy = running.client.functions
    .deploy("kept", archive, runtime === undefined ? {} : { runtime })
    .then(
      () => undefined,
      (error: unknown) => error,
    )
    .finally(() => (progress.isDone = true));
  do expect(await kept()).toBe("first");
  while (!progress.isDone);
  const error = await deploy;
  expect(await kept()).toBe("first");
  const [revision] = await running.client.functions.revisions("kept");
  expect(revision).toMatchObject({ number: 1, current: true });
  if (!(error instanceof EnokiError)) throw new Error("it was deployed");
  return error;
}

const PYTHON = "def call(i): return i\n";

describe("an archive that is refused", () => {
  test.each([
    ["no zip at all", Buffer.from("not a zip"), "ENOKI_INVALID_ARCHIVE"],
    ["empty", Buffer.alloc(0), "ENOKI_INVALID_ARCHIVE"],
    ["cut off", zipFiles({ "fn.py": PYTHON }).subarray(0, 60), "ENOKI_INVALID_ARCHIVE"],
    ["a zip without files", craftZip([]), "ENOKI_INVALID_ARCHIVE"],
    [
      "with a wrong checksum",
      craftZip([{ name: "fn.py", data: PYTHON, checksum: 1 }]),
      "ENOKI_INVALID_ARCHIVE",
    ],
    ["with ../", craftZip([{ name: "../fn.py", data: PYTHON }]), "ENOKI_INVALID_ARCHIVE"],
    [
      "with a/../../b",
      craftZip([{ name: "a/../../fn.py", data: PYTHON }]),
      "ENOKI_INVALID_ARCHIVE",
    ],
    [
      "with an absolute path",
      craftZip([{ name: "/tmp/fn.py", data: PYTHON }]),
      "ENOKI_INVALID_ARCHIVE",
    ],
    ["with a backslash", craftZip([{ name: "..\\fn.py", data: PYTHON }]), "ENOKI_INVALID_ARCHIVE"],
    [
      "with a symbolic link",
      craftZip([
        { name: "fn.py", data: PYTHON },
        { name: "link", data: "/etc/passwd", mode: 0o120777 },
      ]),
      "ENOKI_INVALID_ARCHIVE",
    ],
    [
      "a bomb that says so",
      craftZip([
        { name: "fn.py", data: PYTHON, declaredBytes: LIMITS.archiveUnpackedBytesMax + 1 },
      ]),
      "ENOKI_ARCHIVE_TOO_LARGE",
    ],
    [
      "a bomb that lies about its size",
      craftZip([{ name: "fn.py", data: Buffer.alloc(64 << 20), declaredBytes: 10 }]),
      "ENOKI_INVALID_ARCHIVE",
    ],
  ])("%s: the reason is told and the previous revision keeps serving", async (_, archive, code) => {
    const error = await refused(archive);
    expect(error.code, error.message).toBe(code);
    expect(error.status).toBe(code === "ENOKI_ARCHIVE_TOO_LARGE" ? 413 : 400);
  });

  test("more than 64 MiB of zip: 413", async () => {
    const error = await refused(Buffer.alloc(LIMITS.archiveBytesMax + 1));
    expect(error).toMatchObject({ code: "ENOKI_ARCHIVE_TOO_LARGE", status: 413 });
  });

  test("nothing of it is left behind", async () => {
    expect(await readdir(`${running.dataDir}/scratch`)).toEqual([]);
  });
});

describe("a name or runtime that is refused", () => {
  test.each(["a b", "-a", "a-", "a.b", "a_b", "ü", "a".repeat(64)])("the name %j", async (name) => {
    const form = new FormData();
    form.set("archive", new Blob([zipFiles({ "fn.py": PYTHON })]), "x.zip");
    const url = `${running.adminUrl}/v1/functions/${encodeURIComponent(name)}`;
    const answer = await fetch(url, { method: "PUT", body: form });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "ENOKI_INVALID_NAME" });
  });

  test("the longest name is taken, from one letter on", async () => {
    for (const name of ["a", "Z9", "a".repeat(63), "a-b-C"]) {
      await deployFiles(running, name, { "fn.py": PYTHON });
      await running.client.functions.remove(name);
    }
  });

  test("the runtime", async () => {
    const error = await refused(zipFiles({ "fn.py": PYTHON }), "cobol");
    expect(error).toMatchObject({ code: "ENOKI_INVALID_RUNTIME", status: 400 });
    expect(error.message).toContain("cobol");
  });
});

describe("code that does not load", () => {
  const TRACEBACK = "traceback";

  test.each([
    [
      "a failing import in Python",
      {
        "fn.py": "import helper\ndef call(i): return i\n",
        "helper.py": "\nimport no_such_module\n",
      },
      "ModuleNotFoundError",
      /helper\.py", line 2[\s\S]*no_such_module/,
    ],
    [
      "an exception at import in Python",
      { "fn.py": "def deep():\n    raise KeyError('x')\ndeep()\n" },
      "KeyError",
      /fn\.py", line 2, in deep/,
    ],
    [
      "an exception at import in JavaScript",
      {
        "index.mjs":
          "function deep() { throw new RangeError('x'); }\ndeep();\nexport const call = 1;",
      },
      "RangeError",
      /RangeError: x\n\s+at deep/,
    ],
  ])("%s comes back with its own traceback", async (_, files, errorType, traceback) => {
    const error = await refused(zipFiles(files));
    expect(error).toMatchObject({ code: "ENOKI_LOAD_FAILED", status: 422 });
    expect(error.extra["errorType"]).toBe(errorType);
    expect(error.extra[TRACEBACK]).toMatch(traceback);
  });

  test.each([
    [
      "a syntax error in Python",
      { "fn.py": "def call(i)\n    return i\n" },
      /fn\.py", line 1[\s\S]*SyntaxError/,
    ],
    ["a syntax error in JavaScript", { "index.mjs": "export function call( {" }, /index\.mjs:1:/],
    ["a syntax error in TypeScript", { "index.ts": "export const call: = 1;" }, /index\.ts:1:/],
    [
      "a missing module in TypeScript",
      { "index.ts": 'import x from "no-such-module";\nexport const call = x;' },
      /no-such-module/,
    ],
  ])("%s fails the build and names the place", async (_, files, place) => {
    const error = await refused(zipFiles(files));
    expect(error).toMatchObject({ code: "ENOKI_BUILD_FAILED", status: 422 });
    expect(error.message).toMatch(place);
  });

  test.each([
    ["Python without a handler", { "fn.py": "x = 1\n" }],
    ["Python whose handler takes nothing", { "fn.py": "def call(): return 1\n" }],
    ["JavaScript without a handler", { "index.mjs": "export const other = 1;" }],
    ["no entry file", { "README.md": "# nothing" }],
    ["two possible entries", { "fn.py": PYTHON, "index.mjs": "export const call = (i) => i;" }],
  ])("%s: no entry", async (_, files) => {
    const error = await refused(zipFiles(files));
    expect(error).toMatchObject({ code: "ENOKI_NO_ENTRY", status: 400 });
  });

  test("a package that cannot be had fails the build with pip's words", async () => {
    const files = { "fn.py": PYTHON, "requirements.txt": "--no-index\nno-such-package==1.0\n" };
    const error = await refused(zipFiles(files));
    expect(error).toMatchObject({ code: "ENOKI_BUILD_FAILED", status: 422 });
    expect(error.message).toContain("no-such-package");
  });

  test("a process that ends while it loads is told with its exit code", async () => {
    const error = await refused(zipFiles({ "fn.py": "import os\nos._exit(9)\n" }));
    expect(error).toMatchObject({ code: "ENOKI_LOAD_FAILED" });
    expect(error.message).toContain("exit code 9");
  });

  test("a function that was never there is not there afterwards", async () => {
    await expect(deployFiles(running, "never", { "fn.py": "1/0\n" })).rejects.toMatchObject({
      code: "ENOKI_LOAD_FAILED",
    });
    expect((await send(running.functionsUrl, "/never")).status).toBe(404);
    await expect(running.client.functions.get("never")).rejects.toMatchObject({ status: 404 });
  });

  test("the log of the function tells of the revision that did not load", async () => {
    await refused(zipFiles({ "fn.py": "raise KeyError('told in the log')\n" }));
    const texts: string[] = [];
    for await (const { text } of running.client.functions.logs("kept")) texts.push(text);
    expect(texts.join("\n")).toContain("told in the log");
  });
});

test("the previous revision also serves after a restart that follows a failed deploy", async () => {
  await refused(zipFiles({ "fn.py": "1/0\n" }));
  running = await running.restart();
  expect(await kept()).toBe("first");
});
