import { writeSync } from "node:fs";
import { createPrng } from "../../../src/base/prng.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { lastNumber, writeNumbered } from "./workload.js";

/**
 * Writes a given number of numbered transactions while syncs run beside them, and prints `synced N`
 * once a sync that began after transaction N has resolved.
 */
const [dir, total, seed, bootId] = process.argv.slice(2) as [string, string, string, string];
const prng = createPrng(Number(seed));
const store = await createLmdbDriver({ dir, bootId }).open("main");
const syncs: Promise<void>[] = [];

for (let number = lastNumber(store) + 1; number <= Number(total); number++) {
  writeNumbered(store, number);
  if (prng.below(4) === 0)
    syncs.push(store.sync().then(() => void writeSync(1, `synced ${number}\n`)));
  if (prng.below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
}
await Promise.all(syncs);
process.exit();
