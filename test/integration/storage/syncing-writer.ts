import { writeSync } from "node:fs";
import { createPrng } from "../../../src/base/prng.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { lastNumber, writeNumbered } from "./workload.js";

/**
 * Writes a given number of numbered transactions while syncs run beside them, and prints `synced N`
 * once a sync that began after transaction N has resolved.
 */
const [dir, total, seed, bootId] = process.argv.slice(2) as [string, string, string, string];
const SYNCS_WRITTEN_THROUGH = 12;
/** A slow disk would otherwise get a trace a hundred times as long, which every replay goes through. */
const TRANSACTIONS_PER_SYNC_MAX = 40;
const prng = createPrng(Number(seed));
const store = await createLmdbDriver({ dir, bootId }).open("main");
const syncs: Promise<void>[] = [];

let number = lastNumber(store) + 1;
for (; number <= Number(total); number++) {
  writeNumbered(store, number);
  if (prng.below(4) === 0) {
    const before = number;
    syncs.push(store.sync().then(() => void writeSync(1, `synced ${before}\n`)));
  }
  if (prng.below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
}
await Promise.all(syncs);
// And some that are written while a sync lasts, however short that is on this disk.
for (let round = 0; round < SYNCS_WRITTEN_THROUGH; round++) {
  const before = number - 1;
  const sync = { isDone: false };
  const synced = store.sync().then(() => {
    sync.isDone = true;
    writeSync(1, `synced ${before}\n`);
  });
  const end = number + TRANSACTIONS_PER_SYNC_MAX;
  do {
    writeNumbered(store, number++);
    await new Promise((resolve) => setImmediate(resolve));
  } while (!sync.isDone && number < end);
  await synced;
}
process.exit();
