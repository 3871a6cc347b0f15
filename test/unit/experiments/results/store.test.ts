import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Point, Result } from "../../../../src/experiments/results/point.js";
import { BrokenResultError, ResultStore } from "../../../../src/experiments/results/store.js";

const POINT: Point = {
  figure: "3",
  name: "edge-awaited",
  repeat: 1,
  seed: 11,
  loadS: 10,
  cutS: 1,
  parameters: { data: "edge", ratePerS: 10 },
};
const RESULT: Result = {
  point: POINT,
  measuredAt: "2026-01-02T03:04:05.678Z",
  commit: "abc1234",
  network: "emulator",
  samples: [
    { series: "call", atMs: 0, valueMs: 12.3456789, status: 200 },
    { series: "floor-read", atMs: 100.5, valueMs: 0.0001, status: 0 },
  ],
  totals: { lost: 3 },
};

let folder: string;
let store: ResultStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "enoki-results-"));
  store = await ResultStore.open(folder);
});
afterEach(() => rm(folder, { recursive: true }));

async function all(): Promise<(Result | BrokenResultError)[]> {
  const found = [];
  for await (const result of store.all()) found.push(result);
  return found;
}

test("gives back what was saved, times to a tenth of a microsecond, and leaves nothing else", async () => {
  await store.save(RESULT);
  const [first, second] = RESULT.samples;
  const samples = [{ ...first, valueMs: 12.3457 }, second];
  expect(await store.find(POINT)).toEqual({ kind: "complete", result: { ...RESULT, samples } });
  expect(await readdir(folder)).toEqual(["3-edge-awaited-r1.csv", "3-edge-awaited-r1.json"]);
});

test("knows a point again whatever the commit and the order of its parameters", async () => {
  await store.save({ ...RESULT, commit: "other" });
  const parameters = { ratePerS: 10, data: "edge" };
  expect((await store.find({ ...POINT, parameters })).kind).toBe("complete");
});

test.each<Partial<Point>>([{ loadS: 300 }, { seed: 12 }, { parameters: { data: "cloud" } }])(
  "takes no result for one of a point with %j",
  async (change) => {
    await store.save(RESULT);
    expect((await store.find({ ...POINT, ...change })).kind).toBe("other");
  },
);

test("says that a point is absent, also another repeat", async () => {
  await store.save(RESULT);
  expect((await store.find({ ...POINT, repeat: 2 })).kind).toBe("absent");
});

describe("what is broken", () => {
  beforeEach(() => store.save(RESULT));
  const csv = "3-edge-awaited-r1.csv";
  const json = "3-edge-awaited-r1.json";

  test.each([
    ["a cut CSV", csv, (text: string) => text.slice(0, -5)],
    ["a CSV of another run", csv, (text: string) => text.replace("100.5", "100.6")],
    ["a cut JSON", json, (text: string) => text.slice(0, 100)],
    ["JSON of something else", json, () => "null"],
    ["JSON of another format", json, (text: string) => text.replace('"format": 1', '"format": 2')],
    ["JSON without a part", json, (text: string) => text.replace('"seed": 11', '"seat": 11')],
    [
      "the JSON of another point",
      json,
      (text: string) => text.replace('"repeat": 1', '"repeat": 2'),
    ],
  ])("%s is found, with the file's name", async (_, file, damage) => {
    const path = join(folder, file);
    await writeFile(path, damage(await readFile(path, "utf8")));
    const held = await store.find(POINT);
    expect(held).toEqual({ kind: "broken", why: expect.stringContaining(file) as string });
    expect((await all())[0]).toBeInstanceOf(BrokenResultError);
  });

  test("a missing CSV is found", async () => {
    await rm(join(folder, csv));
    expect((await store.find(POINT)).kind).toBe("broken");
  });

  test("does not hide the others, and is mended by saving", async () => {
    const other = { ...RESULT, point: { ...POINT, repeat: 2 } };
    await store.save(other);
    await writeFile(join(folder, csv), "");
    expect(await all()).toEqual([
      expect.any(BrokenResultError),
      expect.objectContaining({ point: other.point }),
    ]);
    await store.save(RESULT);
    expect((await store.find(POINT)).kind).toBe("complete");
  });

  test("neither what an interrupted save left nor another file is a result", async () => {
    await writeFile(join(folder, "3-edge-awaited-r2.csv"), "series,at_ms,value_ms,status\n");
    await writeFile(join(folder, "3-edge-awaited-r3.json.partial"), "{");
    await writeFile(join(folder, "machine.json"), "{}");
    expect(await all()).toHaveLength(1);
  });
});

test.each([{ name: "../up" }, { name: "Edge" }, { figure: "" }, { repeat: 1.5 }])(
  "refuses a point with %j",
  async (change) => {
    await expect(store.save({ ...RESULT, point: { ...POINT, ...change } })).rejects.toThrow(
      "no name of a point",
    );
  },
);

test.each([{ valueMs: Number.NaN }, { series: "a,b" }, { status: 1.5 }])(
  "refuses a sample with %j, and keeps what was there",
  async (change) => {
    await store.save(RESULT);
    const samples = [{ series: "call", atMs: 0, valueMs: 1, status: 200, ...change }];
    await expect(store.save({ ...RESULT, samples })).rejects.toThrow("no sample");
    expect((await store.find(POINT)).kind).toBe("complete");
  },
);
