import { writeSync } from "node:fs";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { createPrng } from "../../../src/base/prng.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { lastNumber, writeNumbered } from "./workload.js";

/**
 * Writes a given number of numbered transactions while syncs run beside them, and prints `synced N`
 * once a sync that began after transaction N has resolved.
 */
const [dir, total, seed, bootId] = process.argv.slice(2) as [string, string, string, string];
const SYNCS_WRITTEN_THROUGH = 12;
/**
 * So many transactions of a sync follow at once, the further ones after pauses that double: a slow disk would
 * otherwise get a trace a hundred times as long, which every replay goes through.
 */
const AT_ONCE = 40;
const prng = createPrng(Number(seed));
const store = await createLmdbDriver({ dir, bootId }).open("main");
const syncs: Promise<void>[] = [];

let number = lastNumber(store) + 1;
// why not up to a fixed number: how many there are already depends on how fast the disk was.
for (const end = number + Number(total); number < end; number++) {
  writeNumbered(store, number);
  if (prng.below(4) === 0) {
    const before = number;
    syncs.push(store.sync().then(() => void writeSync(1, `synced ${before}\n`)));
  }
  if (prng.below(2) === 0) await nextTurn();
}
await Promise.all(syncs);
// And some that are written for as long as a sync lasts, however short that is on this disk.
for (let round = 0; round < SYNCS_WRITTEN_THROUGH; round++) {
  const before = number - 1;
  const sync = { isDone: false };
  const synced = store.sync().then(() => {
    sync.isDone = true;
    writeSync(1, `synced ${before}\n`);
  });
  let written = 0;
  do {
    writeNumbered(store, number++);
    written++;
    await (written < AT_ONCE ? nextTurn() : delay(2 ** (written - AT_ONCE)));
  } while (!sync.isDone);
  await synced;
}
process.exit();
