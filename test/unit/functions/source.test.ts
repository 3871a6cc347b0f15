import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { detectEntry, parseRuntime } from "../../../src/functions/source/entry.js";
import { unpackSource } from "../../../src/functions/source/source-root.js";
import { craftZip } from "../../helpers/crafted-zip.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const SCRIPT = "#!/bin/sh\ncat\n";
const ELF = "\x7fELF…";

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly runtime?: string;
  /** `runtime entry`. */
  readonly found: string;
}

const FOUND: readonly Case[] = [
  { files: { "fn.py": "" }, found: "python fn.py" },
  { files: { "main.py": "" }, found: "python main.py" },
  { files: { "fn.py": "", "main.py": "" }, found: "python fn.py" },
  { files: { "average.py": "", "README.md": "" }, found: "python average.py" },
  { files: { "fn.py": "", "helper.py": "", "._fn.py": "" }, found: "python fn.py" },
  { files: { "index.ts": "", "index.js": "" }, found: "node index.ts" },
  { files: { "index.mts": "" }, found: "node index.mts" },
  { files: { "index.mjs": "", "index.js": "" }, found: "node index.mjs" },
  { files: { "index.js": "" }, found: "node index.js" },
  { files: { "index.cjs": "" }, found: "node index.cjs" },
  { files: { "hello.ts": "", "enoki.d.ts": "" }, found: "node hello.ts" },
  { files: { "package.json": `{"main":"src/a.ts"}`, "src/a.ts": "" }, found: "node src/a.ts" },
  {
    files: { "package.json": `{"main":"./src/"}`, "src/index.js": "" },
    found: "node src/index.js",
  },
  { files: { "package.json": `{"main":"lib"}`, "lib.js": "" }, found: "node lib.js" },
  { files: { "package.json": `{"main":"."}`, "index.js": "" }, found: "node index.js" },
  { files: { "package.json": `{"main":"dist/x.js"}`, "index.ts": "" }, found: "node index.ts" },
  { files: { "package.json": "{}", "handler.js": "" }, found: "node handler.js" },
  { files: { "fn.sh": SCRIPT }, found: "binary fn.sh" },
  { files: { program: ELF, "README.md": "" }, found: "binary program" },
  { files: { run: SCRIPT, "data.txt": "" }, found: "binary run" },
  { files: { "tool.py": "#!/usr/bin/env python3\n" }, found: "python tool.py" },
  { files: { "fn.py": "", "deploy.sh": SCRIPT }, found: "python fn.py" },
  { files: { "index.ts": "", "setup.py": "" }, found: "node index.ts" },
  { files: { "fn.py": "", "index.ts": "" }, runtime: "node", found: "node index.ts" },
  { files: { "tool.py": "#!/usr/bin/env python3\n" }, runtime: "binary", found: "binary tool.py" },
  { files: { "fn.py": "", "x.py": "" }, runtime: "python3", found: "python3 fn.py" },
  { files: { "fn.py": "" }, runtime: "python3-kv", found: "python3-kv fn.py" },
  { files: { "fn.js": "", "util.js": "" }, runtime: "nodejs", found: "nodejs fn.js" },
  {
    files: { "package.json": `{"name":"fn","main":"server.js"}`, "server.js": "", "fn.js": "" },
    runtime: "nodejs",
    found: "nodejs server.js",
  },
  { files: { "echo.js": "" }, runtime: "nodejs", found: "nodejs echo.js" },
  { files: { "fn.sh": SCRIPT }, runtime: "tinyfaas-binary", found: "tinyfaas-binary fn.sh" },
];

for (const { files, runtime, found } of FOUND) {
  const asked = runtime === undefined ? "" : ` as ${runtime}`;
  test(`${Object.keys(files).join(" + ")}${asked} is ${found}`, async () => {
    const dir = await temporaryFolder();
    await writeFiles(dir, files);
    const entry = await detectEntry(dir, runtime);
    expect(`${entry.runtime} ${entry.entry}`).toBe(found);
  });
}

interface Refused {
  readonly files: Readonly<Record<string, string>>;
  readonly runtime?: string;
  readonly says: string;
}

const REFUSED: readonly Refused[] = [
  { files: {}, says: "there are no files" },
  { files: { "README.md": "", "data.json": "" }, says: "found README.md, data.json" },
  { files: { "fn.py": "", "index.ts": "" }, says: "fn.py (python), index.ts (node)" },
  { files: { "a.py": "", "b.py": "" }, says: "a.py (python), b.py (python)" },
  { files: { "a.py": "", "b.ts": "" }, says: "a.py (python), b.ts (node)" },
  { files: { one: SCRIPT, two: SCRIPT }, says: "one (binary), two (binary)" },
  { files: { "src/fn.py": "", "x.md": "" }, says: "found x.md" },
  { files: { "fn.py": "" }, runtime: "node", says: "package.json with main, index.ts" },
  { files: { "main.py": "" }, runtime: "python3", says: "expected fn.py" },
  { files: { "data.txt": "" }, runtime: "binary", says: "fn.sh, the only executable" },
  { files: { "package.json": `{"main":"../x.js"}`, "x.js": "" }, says: "leaves the folder" },
];

for (const { files, runtime, says } of REFUSED) {
  const asked = runtime === undefined ? "" : ` as ${runtime}`;
  test(`${Object.keys(files).join(" + ") || "nothing"}${asked} is refused: ${says}`, async () => {
    const dir = await temporaryFolder();
    await writeFiles(dir, files);
    await expect(detectEntry(dir, runtime)).rejects.toMatchObject({
      code: "ENOKI_NO_ENTRY",
      message: expect.stringContaining(says) as string,
    });
  });
}

test("a runtime that does not exist is refused", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, { "fn.py": "" });
  await expect(detectEntry(dir, "ruby")).rejects.toMatchObject({ code: "ENOKI_INVALID_RUNTIME" });
  expect(() => parseRuntime("Python")).toThrow("Python");
});

test("a zip of a folder counts as a zip of its contents", async () => {
  const dir = await temporaryFolder();
  const wrapped = craftZip([
    { name: "my-fn/fn.py", data: "x" },
    { name: "my-fn/lib/a.py", data: "y" },
    { name: "__MACOSX/my-fn/._fn.py", data: "junk" },
    { name: ".DS_Store", data: "junk" },
  ]);
  const root = await unpackSource(wrapped, join(dir, "wrapped"));
  expect((await readdir(root)).sort()).toEqual(["fn.py", "lib"]);

  const flat = craftZip([{ name: "fn.py" }, { name: "lib/a.py" }]);
  expect(await unpackSource(flat, join(dir, "flat"))).toBe(join(dir, "flat"));
});
