import { writeSync } from "node:fs";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";

/** Lets writers write and sync side by side: each prints `wrote N`, syncs, and prints `acknowledged N`. */
const [dir, writers, rounds] = process.argv.slice(2) as [string, string, string];
const store = await createLmdbDriver({ dir }).open("main");
let last = 0;

async function writeStrictly(): Promise<void> {
  for (let round = 0; round < Number(rounds); round++) {
    const number = ++last;
    store.transact((transaction) =>
      transaction.put(Buffer.from(`key-${number}`), Buffer.alloc(100)),
    );
    writeSync(1, `wrote ${number}\n`);
    await store.sync();
    writeSync(1, `acknowledged ${number}\n`);
  }
}

await Promise.all(Array.from({ length: Number(writers) }, writeStrictly));
process.exit();
