import { expect, test } from "vitest";

import { UsageError } from "../../../src/bench/options.js";
import { parseOptions, usage } from "../../../src/experiments/options.js";

const FIGURES = ["3", "4", "beyond"];

test("measures everything for a short time unless told otherwise", () => {
  expect(parseOptions([], FIGURES)).toEqual({
    scale: "short",
    only: [],
    folder: "experiments-results/short",
    isReportOnly: false,
    isAgain: false,
    writesDocs: false,
    wantsHelp: false,
  });
});

test("keeps results of other lengths apart", () => {
  expect(parseOptions(["--full"], FIGURES).folder).toBe("experiments-results/full");
  expect(parseOptions(["--tiny"], FIGURES).folder).toBe("experiments-results/tiny");
  expect(parseOptions(["--tiny", "--results", "x"], FIGURES).folder).toBe("x");
});

test("takes figures one by one and joined by commas", () => {
  expect(parseOptions(["--only", "3", "--only", "4,beyond"], FIGURES).only).toEqual(FIGURES);
});

test.each([
  [["--only", "5"], "--only 5: there is no such figure; figures: 3, 4, beyond"],
  [["--full", "--tiny"], "leave one of them out"],
  [["--tiny", "--write-docs"], "the figures of --tiny mean nothing"],
  [["--results"], "--results"],
  [["--slow"], "--slow"],
  [["3"], "3"],
])("refuses %j and says why", (args, why) => {
  expect(() => parseOptions(args, FIGURES)).toThrow(UsageError);
  expect(() => parseOptions(args, FIGURES)).toThrow(why);
});

test("the help names every option and every figure", () => {
  const text = usage(FIGURES);
  for (const part of [
    "--only",
    "--full",
    "--tiny",
    "--results",
    "--again",
    "--report-only",
    "--write-docs",
    ...FIGURES,
  ]) {
    expect(text).toContain(part);
  }
});
