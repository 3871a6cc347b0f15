import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EnokiError } from "../../../src/core/errors.js";
import type { Storage } from "../../../src/ports/storage.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";

/**
 * Fills a small disk through a store, then frees space and writes on. Prints a JSON line with what
 * happened. `sizeBytes` is the size of a value.
 */
const [disk, sizeBytes] = process.argv.slice(2) as [string, string];
const ballast = join(disk, "ballast");
writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024, 1));
const store = await createLmdbDriver({ dir: join(disk, "data") }).open("main");

const written = fill(store);
const failures = Array.from({ length: 20 }, (_, index) => codeOf(() => put(store, 9000 + index)));
const readableWhenFull = countReadable(store, written);
const rowsWhenFull = store.range({}).length;
await store.sync();

rmSync(ballast);
const failureAfterSpace = codeOf(() => put(store, 5000));
await store.sync();
const readableAfterSpace = countReadable(store, written) + (isWhole(store, 5000) ? 1 : 0);
await store.close();

const reopened = await createLmdbDriver({ dir: join(disk, "data") }).open("main");
const rowsReopened = reopened.range({}).length;
await reopened.close();
const report = {
  written,
  failures,
  readableWhenFull,
  rowsWhenFull,
  failureAfterSpace,
  readableAfterSpace,
  rowsReopened,
};
process.stdout.write(JSON.stringify(report));

function fill(target: Storage): number {
  let count = 0;
  while (codeOf(() => put(target, count)) === undefined) count++;
  return count;
}

function put(target: Storage, number: number): void {
  target.transact((transaction) => {
    transaction.put(Buffer.from(`key-${number}`), Buffer.alloc(Number(sizeBytes), number % 251));
    transaction.put(Buffer.from(`twin-${number}`), Buffer.from([1]));
  });
}

function codeOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof EnokiError ? error.code : String(error);
  }
}

function isWhole(source: Storage, number: number): boolean {
  const value = source.get(Buffer.from(`key-${number}`));
  return value?.length === Number(sizeBytes) && value.every((byte) => byte === number % 251);
}

function countReadable(source: Storage, count: number): number {
  return Array.from({ length: count }, (_, number) => number).filter((number) =>
    isWhole(source, number),
  ).length;
}
