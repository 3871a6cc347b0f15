import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { runStorageContract } from "../../../src/testing/storage-contract.js";

runStorageContract("lmdb", async () => {
  const dir = await mkdtemp(join(tmpdir(), "enoki-lmdb-"));
  return {
    driver: createLmdbDriver({ dir }),
    cleanup: () => rm(dir, { recursive: true, force: true }),
  };
});
