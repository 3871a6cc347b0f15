import { writeSync } from "node:fs";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { lastNumber, writeNumbered } from "./workload.js";

/** Writes numbered transactions until it is killed, and prints each number once it is committed. */
const store = await createLmdbDriver({ dir: process.argv[2] as string }).open("main");
let number = lastNumber(store);

function writeSome(): void {
  for (let count = 0; count < 10; count++) {
    writeNumbered(store, ++number);
    writeSync(1, `${number}\n`);
  }
  setImmediate(writeSome);
}

async function syncForever(): Promise<void> {
  for (;;) await store.sync();
}

writeSome();
await syncForever();
