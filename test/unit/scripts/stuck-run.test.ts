import { describe, expect, test } from "vitest";

interface Line {
  readonly file: string;
  readonly counts: { readonly failed: number };
}

interface StuckRun {
  filesToRunAgain(planned: string[], ended: string[], workers: number): string[];
  onePerFile(lines: Line[]): Line[];
}

// The scripts have no types.
const SCRIPT = new URL("../../../scripts/stuck-run.mjs", import.meta.url).href;
const { filesToRunAgain, onePerFile } = (await import(SCRIPT)) as StuckRun;

describe("a run of tests that is stuck", () => {
  test("runs again what has not ended", () => {
    expect(filesToRunAgain(["a", "b", "c"], ["b"], 2)).toEqual(["a", "c"]);
  });

  test("behind its last file is no run that passed: the last of each worker run again", () => {
    expect(filesToRunAgain(["a", "b", "c"], ["a", "c", "b"], 2)).toEqual(["b", "c"]);
    expect(filesToRunAgain(["a"], ["a", "a"], 2)).toEqual(["a"]);
  });

  test("knows the files of its own stage only", () => {
    expect(filesToRunAgain(["b"], ["a", "b", "other"], 2)).toEqual(["b"]);
  });
});

test("a file that ran twice counts once, and a failure is not mended by a repeat", () => {
  const line = (file: string, failed: number): Line => ({ file, counts: { failed } });
  const [bad, good] = [line("a", 1), line("a", 0)];
  expect(onePerFile([bad, line("b", 0), good])).toEqual([bad, line("b", 0)]);
  expect(onePerFile([good, bad])).toEqual([bad]);
});
