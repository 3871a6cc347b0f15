import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EnokiError } from "../../../src/core/errors.js";
import type { Storage } from "../../../src/ports/storage.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";

const KEY = Buffer.from("key");

describe("an LMDB driver and what it finds on disk", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "enoki-lmdb-"));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(dir, { recursive: true, force: true });
  });

  it("marks a new directory with its format", async () => {
    await createLmdbDriver({ dir: join(dir, "deep", "data") }).list();
    const content = await readFile(join(dir, "deep", "data", "format"), "utf8");
    expect(JSON.parse(content)).toEqual({ format: 1 });
  });

  it.each([
    ['{"format":2}', "2"],
    ['{"format":"1"}', '"1"'],
    ["[]", "[]"],
    ["not JSON", '"not JSON"'],
    ["", '""'],
  ])(
    "refuses a directory whose format file says %j, naming both formats",
    async (content, shown) => {
      await writeFile(join(dir, "format"), content);
      const error = await failureOf(createLmdbDriver({ dir }).open("main"));
      expect(error).toMatchObject({ code: "ENOKI_STORAGE_FORMAT" });
      expect((error as EnokiError).message).toBe(
        `${dir} has storage format ${shown}; this version reads format 1`,
      );
      expect(await readdir(dir)).toEqual(["format"]);
    },
  );

  it("keeps what no sync covered as long as the system was not started anew", async () => {
    const folder = await writeUnsyncedAndCopy(dir);
    const store = await createLmdbDriver({ dir: folder, bootId: "first" }).open("main");
    expect(valueOf(store)).toBe("unsynced");
    await store.close();
  });

  it("goes back to the last sync once the system was started anew, and keeps what it writes then", async () => {
    const folder = await writeUnsyncedAndCopy(dir);
    const store = await createLmdbDriver({ dir: folder, bootId: "second" }).open("main");
    expect(valueOf(store)).toBe("synced");
    put(store, "later");
    await store.close();

    const reopened = await createLmdbDriver({ dir: folder, bootId: "third" }).open("main");
    expect(valueOf(reopened)).toBe("later");
    await reopened.close();
  });

  it("falls back to the older checkpoint if the newer is torn, and refuses a store with neither", async () => {
    const driver = createLmdbDriver({ dir, bootId: "first" });
    const store = await driver.open("main");
    put(store, "older");
    await store.sync();
    put(store, "newer");
    await store.close();
    const path = join(dir, "main", "checkpoint");
    const content = await readFile(path);
    const [newer, older] = [0, content.length / 2].sort((left, right) =>
      Number(sequenceAt(content, right) - sequenceAt(content, left)),
    ) as [number, number];

    content[newer + 5000] = (content[newer + 5000] as number) ^ 1;
    await writeFile(path, content);
    const restored = await createLmdbDriver({ dir, bootId: "second" }).open("main");
    expect(valueOf(restored)).toBe("older");
    await restored.close();

    const damaged = await readFile(path);
    damaged[newer + 5000] = (damaged[newer + 5000] as number) ^ 1;
    damaged[older + 5000] = (damaged[older + 5000] as number) ^ 1;
    await writeFile(path, damaged);
    expect(await failureOf(driver.open("main"))).toMatchObject({ code: "ENOKI_STORAGE_FORMAT" });
  });

  it("makes a store anew whose making was cut short, and does not list it before", async () => {
    const driver = createLmdbDriver({ dir });
    await driver.list();
    await mkdir(join(dir, "main"));
    await writeFile(join(dir, "main", "data.mdb"), "half");
    expect(await driver.list()).toEqual([]);
    const store = await driver.open("main");
    expect(store.range({})).toEqual([]);
    await store.close();
    expect(await driver.list()).toEqual(["main"]);
  });

  it("removes what a drop that was cut short left behind", async () => {
    await createLmdbDriver({ dir }).list();
    await mkdir(join(dir, ".discarded-main"));
    await writeFile(join(dir, ".discarded-main", "data.mdb"), "rest");
    expect(await createLmdbDriver({ dir }).list()).toEqual([]);
    expect(await readdir(dir)).toEqual(["format"]);
  });

  it("trusts nothing after the disk failed under a sync: no write, no later sync; reads go on", async () => {
    const driver = createLmdbDriver({ dir, bootId: "first" });
    const store = await driver.open("main");
    put(store, "synced");
    await store.sync();
    put(store, "lost");
    const failure = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    const datasync = await spyOnDatasync();
    datasync.mockRejectedValueOnce(failure);

    await expect(Promise.all([store.sync(), store.sync()])).rejects.toBe(failure);
    await expect(store.sync()).rejects.toBe(failure);
    expect(() => put(store, "more")).toThrow(failure);
    expect(valueOf(store)).toBe("lost");
    await expect(store.close()).rejects.toBe(failure);

    const reopened = await createLmdbDriver({ dir, bootId: "second" }).open("main");
    expect(valueOf(reopened)).toBe("synced");
    await reopened.close();
  });

  it("syncs once for many who wait, and once more for what was written meanwhile", async () => {
    const store = await createLmdbDriver({ dir }).open("main");
    const datasync = await spyOnDatasync();
    put(store, "one");
    const first = Array.from({ length: 10 }, () => store.sync());
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(datasync).toHaveBeenCalledTimes(1);
    put(store, "two");
    const second = Array.from({ length: 10 }, () => store.sync());
    await Promise.all([...first, ...second]);
    expect(datasync).toHaveBeenCalledTimes(2);
    await store.sync();
    expect(datasync).toHaveBeenCalledTimes(2);
    await store.close();
  });

  it("opens a store that was closed without writing to the disk", async () => {
    const driver = createLmdbDriver({ dir });
    const store = await driver.open("main");
    put(store, "one");
    await store.close();
    const datasync = await spyOnDatasync();
    await (await driver.open("main")).close();
    expect(datasync).not.toHaveBeenCalled();
  });

  /** Leaves a copy of a store as a killed process leaves it: one write synced, one not. */
  async function writeUnsyncedAndCopy(base: string): Promise<string> {
    const store = await createLmdbDriver({ dir: join(base, "original"), bootId: "first" }).open(
      "main",
    );
    put(store, "synced");
    await store.sync();
    put(store, "unsynced");
    const copy = join(base, "copy", "main");
    await mkdir(copy, { recursive: true });
    for (const name of ["data.mdb", "checkpoint"]) {
      await writeFile(join(copy, name), await readFile(join(base, "original", "main", name)));
    }
    await store.close();
    return join(base, "copy");
  }
});

/** Spies on the call that syncs the data of any file opened by `node:fs/promises`. */
async function spyOnDatasync() {
  const handle = await open(import.meta.filename, "r");
  await handle.close();
  return vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, "datasync");
}

function sequenceAt(content: Buffer, slot: number): bigint {
  return content.readBigUInt64BE(slot + 40);
}

function put(store: Storage, value: string): void {
  store.transact((transaction) => transaction.put(KEY, Buffer.from(value)));
}

function valueOf(store: Storage): string | undefined {
  const value = store.get(KEY);
  return value && Buffer.from(value).toString();
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
