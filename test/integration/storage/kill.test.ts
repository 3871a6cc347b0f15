import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPrng, type Prng } from "../../../src/base/prng.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { bundlePrograms, type Programs } from "./programs.js";
import { lastNumber, Model } from "./workload.js";

const LANES = 4;
const KILLS_PER_LANE = 50;

describe("a store whose process is killed", () => {
  let programs: Programs;
  beforeAll(async () => {
    programs = await bundlePrograms(["endless-writer"]);
  });
  afterAll(() => programs.remove());

  it("has every acknowledged transaction and no half of one, after 200 kills at points drawn by seed", async () => {
    const lanes = Array.from({ length: LANES }, (_, lane) => killAgainAndAgain(programs, lane));
    expect(await Promise.all(lanes)).toEqual(Array.from({ length: LANES }, () => KILLS_PER_LANE));
  });
});

/** Kills a writer again and again on one store, and checks the store after each; returns how often. */
async function killAgainAndAgain(programs: Programs, lane: number): Promise<number> {
  const prng = createPrng(lane);
  const dir = join(programs.dir, `lane-${lane}`);
  await mkdir(dir);
  const driver = createLmdbDriver({ dir });
  const model = new Model();
  let kills = 0;
  while (kills < KILLS_PER_LANE) {
    const acknowledged = await killOnce(programs.path("endless-writer"), dir, prng);
    kills++;
    const store = await driver.open("main");
    expect(lastNumber(store), `lane ${lane}, kill ${kills}`).toBeGreaterThanOrEqual(acknowledged);
    expect(model.findFault(store), `lane ${lane}, kill ${kills}`).toBeUndefined();
    await store.close();
  }
  return kills;
}

/** Kills a writer when it has acknowledged as often as the seed says; returns the last number it printed. */
async function killOnce(program: string, dir: string, prng: Prng): Promise<number> {
  const linesBeforeKill = prng.below(3) === 0 ? 1 + prng.below(3) : 1 + prng.below(300);
  const child = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let lines = 0;
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (++lines === linesBeforeKill) child.kill("SIGKILL");
  }
  await closed;
  expect(child.signalCode, "the writer ended by itself").toBe("SIGKILL");
  return acknowledged;
}
