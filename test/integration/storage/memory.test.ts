import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const STORES = 30;
const DRIVER = new URL("../../../dist/storage/lmdb.js", import.meta.url);

/** Makes stores in a process of its own and prints by how many bytes its memory has grown for each. */
const PROGRAM = `
import { createLmdbDriver } from ${JSON.stringify(DRIVER.href)};
const driver = createLmdbDriver({ dir: process.argv[1] });
const stores = [await driver.open("first")];
const before = process.memoryUsage.rss();
for (let i = 0; i < ${STORES}; i++) stores.push(await driver.open("store-" + i));
console.log((process.memoryUsage.rss() - before) / ${STORES});
for (const store of stores) await store.close();
`;

test("a store that nobody has written to takes less than 1 MB of memory", async () => {
  const dir = await mkdtemp(join(tmpdir(), "enoki-memory-"));
  try {
    const run = promisify(execFile);
    const args = ["--input-type=module", "-e", PROGRAM, dir];
    const { stdout } = await run(process.execPath, args);
    // What LMDB sets aside for each, 3 MB, must stay untouched.
    expect(Number(stdout)).toBeLessThan(1_000_000);
  } finally {
    await rm(dir, { recursive: true });
  }
});
