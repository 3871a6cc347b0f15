import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPrng } from "../../../src/base/prng.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import {
  type DiskEvent,
  type DiskImage,
  imageAfterPowerCut,
  nothingSurvives,
  someSectorsSurvive,
  traceProgram,
  whyNoTrace,
} from "./disk-trace.js";
import { bundlePrograms, type Programs, run } from "./programs.js";
import { lastNumber, Model, writeNumbered } from "./workload.js";

/** Each opens a store 200 times, goes on with it and opens it again. */
const TIMEOUT_MS = 300_000;
const CUTS = 200;
const TRANSACTIONS = 250;
const obstacle = whyNoTrace();

describe.skipIf(obstacle)(
  `a store after a power cut${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    let programs: Programs;
    let imagesDir: string;
    let before: DiskImage;
    let events: DiskEvent[];

    beforeAll(async () => {
      programs = await bundlePrograms(["syncing-writer"]);
      imagesDir = await mkdtemp(join(memoryDir(), "enoki-after-cut-"));
      const dir = join(programs.dir, "data");
      await run(process.execPath, [programs.path("syncing-writer"), dir, "20", "0", "first boot"]);
      before = await readImage(join(dir, "main"));
      events = await traceWriter(programs, dir, "first boot", 1);
    });
    afterAll(async () => {
      await programs.remove();
      await rm(imagesDir, { recursive: true, force: true });
    });

    it(
      "has a committed state, none older than the last sync, 200 times if every later write is lost",
      { timeout: TIMEOUT_MS },
      async () => {
        const prng = createPrng(11);
        for (let round = 0; round < CUTS; round++) {
          const cut = prng.below(lastPosition(events));
          await checkImage(
            imagesDir,
            imageAfterPowerCut(before, events, cut, nothingSurvives),
            syncedBy(events, cut),
            cut,
          );
        }
      },
    );

    it(
      "has such a state 200 times if any later writes reach the disk, whole or torn",
      { timeout: TIMEOUT_MS },
      async () => {
        const prng = createPrng(12);
        for (let round = 0; round < CUTS; round++) {
          const cut = prng.below(lastPosition(events));
          const image = imageAfterPowerCut(before, events, cut, someSectorsSurvive(prng));
          await checkImage(imagesDir, image, syncedBy(events, cut), cut);
        }
      },
    );

    it(
      "has such a state if the power fails again while it recovers and after",
      { timeout: TIMEOUT_MS },
      async () => {
        const prng = createPrng(13);
        for (let round = 0; round < 5; round++) {
          const firstCut = prng.below(lastPosition(events));
          const torn = imageAfterPowerCut(before, events, firstCut, someSectorsSurvive(prng));
          const dir = join(programs.dir, `again-${round}`);
          await writeStore(dir, torn);
          const laterEvents = await traceWriter(programs, dir, "second boot", 100 + round);
          for (let cuts = 0; cuts < 40; cuts++) {
            const cut = cuts < 10 ? cuts * 4 : prng.below(lastPosition(laterEvents));
            const image = imageAfterPowerCut(torn, laterEvents, cut, someSectorsSurvive(prng));
            await checkImage(
              imagesDir,
              image,
              Math.max(syncedBy(events, firstCut), syncedBy(laterEvents, cut)),
              cut,
            );
          }
        }
      },
    );

    it("is played with a trace that has work in flight at its cuts: commits, syncs and losses", () => {
      const writes = events.filter((event) => event.kind === "write" && event.file === "data.mdb");
      const syncs = events.filter((event) => event.kind === "sync" && event.file === "data.mdb");
      const writesInsideSyncs = writes.filter((write) =>
        syncs.some((sync) => sync.begin < write.begin && write.end < sync.end),
      );
      expect(writes.length).toBeGreaterThan(TRANSACTIONS);
      expect(syncs.length).toBeGreaterThan(10);
      expect(writesInsideSyncs.length).toBeGreaterThan(0);
      expect(
        events.filter((event) => event.kind === "write" && event.isSynchronous).length,
      ).toBeGreaterThan(10);
    });
  },
);

function traceWriter(
  programs: Programs,
  dir: string,
  bootId: string,
  seed: number,
): Promise<DiskEvent[]> {
  const args = [programs.path("syncing-writer"), dir, String(TRANSACTIONS), String(seed), bootId];
  return traceProgram(join(dir, "main"), join(programs.dir, "trace"), args);
}

function lastPosition(events: readonly DiskEvent[]): number {
  return (events.at(-1)?.end ?? 0) + 1;
}

/** The number of the last transaction whose sync the writer had seen end before `cut`. */
function syncedBy(events: readonly DiskEvent[], cut: number): number {
  const printed = events.filter((event) => event.kind === "print" && event.end < cut);
  return Math.max(
    0,
    ...printed.map((event) => Number((event as { text: string }).text.split(" ")[1])),
  );
}

/** Opens a store as the power cut left it and goes on with it; it must be sound all the way. */
async function checkImage(
  dir: string,
  image: DiskImage,
  synced: number,
  cut: number,
): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await writeStore(dir, image);
  const driver = createLmdbDriver({ dir, bootId: "the boot after the cut" });
  const model = new Model();
  const store = await driver.open("main");
  const number = lastNumber(store);
  expect(number, `cut at ${cut}`).toBeGreaterThanOrEqual(synced);
  expect(model.findFault(store), `cut at ${cut}`).toBeUndefined();
  for (let next = number + 1; next <= number + 10; next++) writeNumbered(store, next);
  expect(model.findFault(store), `cut at ${cut}, written on`).toBeUndefined();
  await store.close();
  const reopened = await driver.open("main");
  expect(model.findFault(reopened), `cut at ${cut}, reopened`).toBeUndefined();
  await reopened.close();
}

/**
 * A folder in memory if there is one. The replay decides what the disk has; that the stores which
 * are opened on it wait for a real disk, several times each, would only make a slow one be waited for.
 */
function memoryDir(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

async function readImage(folder: string): Promise<DiskImage> {
  const image = new Map<string, Buffer>();
  for (const name of await readdir(folder)) image.set(name, await readFile(join(folder, name)));
  return image;
}

async function writeStore(dir: string, image: DiskImage): Promise<void> {
  const folder = join(dir, "main");
  await mkdir(folder, { recursive: true });
  for (const [name, content] of image) await writeFile(join(folder, name), content);
}
