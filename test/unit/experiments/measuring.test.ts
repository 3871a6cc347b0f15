import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Resources } from "../../../src/bench/resources.js";
import {
  expectationOf,
  lengthText,
  RemainingTime,
  sizeText,
  type Task,
} from "../../../src/experiments/expectation.js";
import type { Experiment, Measure } from "../../../src/experiments/experiment.js";
import { Measuring } from "../../../src/experiments/measuring.js";
import type { Outcome, Point } from "../../../src/experiments/results/point.js";
import { ResultStore } from "../../../src/experiments/results/store.js";

const GOOD: Outcome = { samples: [{ series: "call", atMs: 0, valueMs: 1, status: 200 }] };

let folder: string;
let store: ResultStore;
let lines: string[];
/** What was opened and measured, in order. */
let done: string[];
let opened: Resources[];
let resources: Resources;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "enoki-measuring-"));
  store = await ResultStore.open(folder);
  [lines, done, opened] = [[], [], []];
  resources = new Resources();
});
afterEach(() => resources.release());
afterEach(() => rm(folder, { recursive: true }));

function experiment(figure: string, measure: Measure): Experiment {
  return {
    figure,
    title: figure,
    points: () => [],
    open: ({ resources }) => {
      opened.push(resources);
      done.push(`open ${figure}`);
      return Promise.resolve((point, random) => {
        done.push(point.name);
        return measure(point, random);
      });
    },
  };
}

function point(figure: string, name: string): Point {
  return { figure, name, repeat: 1, seed: 5, loadS: 1, cutS: 0, parameters: {} };
}

function tasksOf(one: Experiment, ...names: string[]): Task[] {
  return names.map((name) => ({ experiment: one, point: point(one.figure, name) }));
}

function measuring(isAgain = false): Measuring {
  const say = (line: string): void => void lines.push(line);
  return new Measuring({ store, resources, isAgain, commit: "abc", network: "emulator", say });
}

const good = (figure: string): Experiment => experiment(figure, () => Promise.resolve(GOOD));

test("opens what an experiment shares once for all its points, and ends it before the next one's", async () => {
  const tasks = [...tasksOf(good("3"), "a", "b"), ...tasksOf(good("4"), "c")];
  expect(await measuring().run(tasks)).toEqual([]);
  expect(done).toEqual(["open 3", "a", "b", "open 4", "c"]);
  expect(opened.map(({ isReleased }) => isReleased)).toEqual([true, true]);
  const held = await store.find(point("4", "c"));
  expect(held).toMatchObject({ kind: "complete", result: { commit: "abc", network: "emulator" } });
});

test("gives the same chances to a point each time", async () => {
  const drawn: number[] = [];
  const drawing = experiment("3", (_, random) => {
    drawn.push(random());
    return Promise.resolve(GOOD);
  });
  await measuring(true).run([...tasksOf(drawing, "a"), ...tasksOf(drawing, "a")]);
  expect(drawn[0]).toBe(drawn[1]);
});

describe("what was measured before", () => {
  beforeEach(async () => {
    await measuring().run(tasksOf(good("3"), "a", "b"));
    [lines, done] = [[], []];
  });

  test("is not measured again", async () => {
    await measuring().run(tasksOf(good("3"), "a", "b", "c"));
    expect(done).toEqual(["open 3", "c"]);
    expect(lines[0]).toBe("2 of 3 points are measured already");
  });

  test("is measured again if that is asked for", async () => {
    await measuring(true).run(tasksOf(good("3"), "a"));
    expect(done).toEqual(["open 3", "a"]);
  });

  test("is measured again if it is broken, which is said", async () => {
    const path = join(folder, "3-a-r1.csv");
    await writeFile(path, (await readFile(path, "utf8")).slice(1));
    await measuring().run(tasksOf(good("3"), "a", "b"));
    expect(done).toEqual(["open 3", "a"]);
    expect(lines[0]).toMatch(
      /3-a-r1\.csv is not what 3-a-r1\.json describes: it is measured again$/,
    );
  });

  test("is measured again under other parameters, which is said", async () => {
    const tasks = tasksOf(good("3"), "a").map((task) => ({
      ...task,
      point: { ...task.point, loadS: 2 },
    }));
    await measuring().run(tasks);
    expect(done).toEqual(["open 3", "a"]);
    expect(lines[0]).toBe("3-a-r1 was measured under other parameters: it is measured again");
  });
});

describe("a point that fails", () => {
  const failing = (outcome: () => Promise<Outcome>): Experiment =>
    experiment("3", ({ name }) => (name === "bad" ? outcome() : Promise.resolve(GOOD)));

  test.each<[string, () => Promise<Outcome>]>([
    ["no etcd", () => Promise.reject(new Error("no etcd"))],
    ["it gave no samples", () => Promise.resolve({ samples: [] })],
    [
      "none of 1 requests succeeded; status of the first: 503",
      () => Promise.resolve({ samples: [{ series: "call", atMs: 0, valueMs: 1, status: 503 }] }),
    ],
  ])(
    "is named with its reason (%s) and not stored; the next one starts anew",
    async (why, outcome) => {
      const failures = await measuring().run(tasksOf(failing(outcome), "a", "bad", "c"));
      expect(failures).toEqual([{ point: point("3", "bad"), why }]);
      expect(done).toEqual(["open 3", "a", "bad", "open 3", "c"]);
      expect((await store.find(point("3", "bad"))).kind).toBe("absent");
      expect((await store.find(point("3", "c"))).kind).toBe("complete");
      expect(lines.find((line) => line.includes("FAILED"))).toContain(`3-bad-r1: FAILED: ${why}`);
    },
  );

  test("gives totals alone", async () => {
    const totals = { lost: 1 };
    const counting = experiment("3", () => Promise.resolve({ samples: [], totals }));
    expect(await measuring().run(tasksOf(counting, "a"))).toEqual([]);
  });
});

test("ends where it is, keeps what it has and stores nothing of the point under way", async () => {
  const ended = experiment("3", async ({ name }) => {
    if (name === "b") await resources.release();
    return GOOD;
  });
  await measuring().run(tasksOf(ended, "a", "b", "c"));
  expect(done).toEqual(["open 3", "a", "b"]);
  expect(opened.map(({ isReleased }) => isReleased)).toEqual([true]);
  expect((await store.find(point("3", "a"))).kind).toBe("complete");
  expect((await store.find(point("3", "b"))).kind).toBe("absent");
});

describe("expectations", () => {
  test("say how long and how much, and learn how long points take around their load", () => {
    const experiment4 = {
      ...good("4"),
      aroundS: () => 3,
      samplesPerS: 1000,
      storedBytesPerS: 3000,
    };
    const tasks = tasksOf(experiment4, "a", "b");
    // Beside the points, their nodes are started once.
    const expected = { seconds: 16, bytes: 2 * 1000 * 28, storedBytes: 3000 };
    expect(expectationOf(tasks)).toEqual(expected);
    const remaining = new RemainingTime();
    expect(remaining.of(tasks)).toBe(8);
    for (const [at, task] of tasks.entries()) remaining.took(task, at === 0 ? 4 : 2);
    expect(remaining.of(tasks)).toBe(6);
    const [of8] = tasksOf({ ...good("8"), aroundS: () => 9 }, "a") as [Task];
    expect(remaining.of([of8])).toBe(7.5);
    remaining.took(of8, 20);
    expect(remaining.of(tasks)).toBe(6);
    expect(remaining.of([of8])).toBe(20);
    // A figure that does not say, and was not seen: 1 s of load, 4 s around it, as slow as the others were.
    expect(remaining.of(tasksOf(good("3"), "a"))).toBeCloseTo((5 * 26) / 18, 9);
  });

  test.each([
    [0.3, "0.3 s"],
    [40, "40 s"],
    [119.6, "120 s"],
    [130, "2 min"],
    [7100, "118 min"],
    [12_600, "3.5 h"],
  ])("%d s are %s", (seconds, text) => {
    expect(lengthText(seconds)).toBe(text);
  });

  test.each([
    [0, "1 MB"],
    [30_400_000, "30 MB"],
    [1_240_000_000, "1.2 GB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });
});
