import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";

import { ERRORS } from "../../../src/core/errors.js";
import { Nursery, runUp } from "../node/child-node.js";
import { deploy } from "../sandbox-node/support.js";

const nursery = new Nursery();
afterEach(() => nursery.remove());

it("enoki up refuses a data directory of another format in one line, and changes nothing", async () => {
  const dataDir = await nursery.dir();
  const node = await nursery.start(dataDir);
  await deploy(
    node,
    "hello",
    { "fn.py": "def call(i): return 'hello'\n" },
    {
      isolation: "process",
    },
  );
  await node.end("SIGTERM");
  await writeFile(join(dataDir, "stores/format"), '{"format":2}\n');
  const before = await contentOf(dataDir);

  const args = ["--data-dir", dataDir, "--function-port", "0", "--admin-port", "0"];
  const { code, stdout, stderr } = await runUp({ args });
  expect(code).toBe(ERRORS.ENOKI_STORAGE_FORMAT.exitCode);
  expect(stdout).toBe("");
  const lines = stderr.split("\n").filter((line) => line.includes("format"));
  expect(lines[0]).toMatch(/^error: \S+ has storage format 2; .* format 1$/);
  expect(lines).toHaveLength(1);
  expect(stderr).toContain("ENOKI_STORAGE_FORMAT");
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(await contentOf(dataDir)).toEqual(before);
});

/** Every file with a digest of its bytes. */
async function contentOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${createHash("sha256").update(readFileSync(path)).digest("hex")} ${path}`)
    .toSorted();
}
