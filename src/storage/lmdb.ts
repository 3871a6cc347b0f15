import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.js";
import { EnokiError } from "../core/errors.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import { readBootId } from "./boot-id.js";
import { type Checkpoint, CheckpointFile, META_PAGES_SIZE_BYTES } from "./checkpoint-file.js";
import { assertStoreName } from "./checks.js";
import { syncDirectory } from "./durable-files.js";
import { availableBytes, DiskSpace } from "./disk-space.js";
import { claimFormat } from "./format-file.js";
import { type LmdbDatabase, openEnvironment } from "./lmdb-environment.js";
import { LmdbStorage } from "./lmdb-storage.js";

/** Where an LMDB driver keeps its stores. */
export interface LmdbDriverOptions {
  /** Directory of the stores, a folder each; made if there is none. One process at a time uses it. */
  readonly dir: string;
  /** Which run of the operating system this is; only a test that plays a power cut gives its own. */
  readonly bootId?: string;
  /**
   * Stores that may use the very last of a full disk: the node's own, whose few rows it needs to
   * start and to stop.
   */
  readonly usesLastSpace?: (name: string) => boolean;
}

/**
 * Makes a driver with one LMDB environment per store, in `dir/NAME`.
 *
 * `transact` hands its writes to the operating system and does not wait for the disk; `sync` waits,
 * off the event loop. After a power cut a store opens in the state of its last completed `sync`.
 */
export function createLmdbDriver({
  dir,
  bootId = readBootId(),
  usesLastSpace = () => false,
}: LmdbDriverOptions): StorageDriver {
  const opened = new Set<string>();
  let prepared: Promise<void> | undefined;
  const prepare = (): Promise<void> => (prepared ??= prepareDirectory(dir));
  return {
    isDurable: true,
    async open(name): Promise<Storage> {
      assertStoreName(name);
      assert(!opened.has(name), `store ${name} is open already`);
      opened.add(name);
      try {
        await prepare();
        const folder = join(dir, name);
        const database = (await exists(checkpointPath(folder)))
          ? await reopen(folder, bootId)
          : await create(dir, folder, bootId);
        const onClose = (): void => void opened.delete(name);
        const space = usesLastSpace(name) ? undefined : new DiskSpace(() => availableBytes(folder));
        return await LmdbStorage.open({ database, folder, bootId, onClose, space });
      } catch (error) {
        opened.delete(name);
        throw error;
      }
    },
    async list() {
      await prepare();
      const entries = await readdir(dir, { withFileTypes: true });
      const names: string[] = [];
      for (const { name } of entries.filter(
        (entry) => entry.isDirectory() && !entry.name.startsWith("."),
      )) {
        if (await exists(checkpointPath(join(dir, name)))) names.push(name);
      }
      return names.sort();
    },
    async drop(name) {
      assertStoreName(name);
      assert(!opened.has(name), `store ${name} is open`);
      await prepare();
      await discard(dir, name);
    },
  };
}

const DISCARDED_PREFIX = ".discarded-";

async function prepareDirectory(dir: string): Promise<void> {
  await claimFormat(dir);
  for (const name of await readdir(dir)) {
    if (name.startsWith(DISCARDED_PREFIX))
      await rm(join(dir, name), { recursive: true, force: true });
  }
}

/**
 * Makes an empty store. It exists once its checkpoint does, so a crash halfway leaves none.
 *
 * why open throughout: LMDB takes 3 MB for each environment and hardly touches them. Given back and
 * taken again they would be zeroed, and so be in use, for each store that a node ever makes.
 */
async function create(dir: string, folder: string, bootId: string): Promise<LmdbDatabase> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  const database = openEnvironment(folder);
  try {
    await makeCheckpoint(folder, bootId);
    await syncDirectory(dir);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Writes the first checkpoint of a store in which nothing was committed yet. */
async function makeCheckpoint(folder: string, bootId: string): Promise<void> {
  const metaPages = new Uint8Array(META_PAGES_SIZE_BYTES);
  const data = await open(dataPath(folder), "r+");
  try {
    await data.read(metaPages, 0, metaPages.length, 0);
    await data.sync();
  } finally {
    await data.close();
  }
  await CheckpointFile.create(checkpointPath(folder), { sequence: 1, bootId, metaPages });
}

async function reopen(folder: string, bootId: string): Promise<LmdbDatabase> {
  await restore(folder, bootId);
  return openEnvironment(folder);
}

/**
 * Puts a store back to its checkpoint if the system was started anew since: what was written later
 * may be on disk in parts. Within one run of the system the page cache has it all.
 */
async function restore(folder: string, bootId: string): Promise<void> {
  const checkpoint = await readCheckpoint(folder);
  if (checkpoint.bootId === bootId) return;
  const data = await open(dataPath(folder), "r+");
  try {
    await data.write(checkpoint.metaPages, 0, checkpoint.metaPages.length, 0);
    await data.sync();
  } finally {
    await data.close();
  }
}

async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const file = await CheckpointFile.open(checkpointPath(folder));
  try {
    const checkpoint = await file.read();
    if (checkpoint) return checkpoint;
    throw new EnokiError(
      "ENOKI_STORAGE_FORMAT",
      `${checkpointPath(folder)} is no checkpoint or is damaged`,
    );
  } finally {
    await file.close();
  }
}

/** Renames first, so that a crash halfway leaves no half a store under its name. */
async function discard(dir: string, name: string): Promise<void> {
  const discarded = join(dir, DISCARDED_PREFIX + name);
  await rm(discarded, { recursive: true, force: true });
  if (!(await exists(join(dir, name)))) return;
  await rename(join(dir, name), discarded);
  await syncDirectory(dir);
  await blank(dataPath(discarded));
  await rm(discarded, { recursive: true, force: true });
}

/** Whoever still reads the file directly sees that it is no store any more. */
async function blank(path: string): Promise<void> {
  const data = await open(path, "r+");
  try {
    await data.write(new Uint8Array(META_PAGES_SIZE_BYTES), 0, META_PAGES_SIZE_BYTES, 0);
  } finally {
    await data.close();
  }
}

function dataPath(folder: string): string {
  return join(folder, "data.mdb");
}

function checkpointPath(folder: string): string {
  return join(folder, "checkpoint");
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
      throw error;
    },
  );
}
