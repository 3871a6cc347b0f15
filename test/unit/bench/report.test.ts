import { expect, test } from "vitest";

import {
  jsonReport,
  markdownTable,
  textTable,
  withMeasuredPart,
  type BenchReport,
} from "../../../src/bench/report.js";
import { verdictOf, type Measurement } from "../../../src/bench/results.js";
import { readPage } from "../../docs/pages.js";
import { MACHINE } from "../../helpers/measured-machine.js";

const measurement: Measurement = {
  row: "js-no-op",
  title: "JS no-op",
  isolation: "process",
  unit: "× ceiling",
  value: { median: 0.6, min: 0.5, max: 0.7 },
  target: { atLeast: 0.6 },
  note: "6 of 10 requests/s",
  figures: {},
};

function report(...measurements: Measurement[]): BenchReport {
  return { machine: MACHINE, isQuick: false, rounds: 5, runS: 4, measurements };
}

test("the median decides, and a target is reached by equality", () => {
  expect(verdictOf(measurement)).toBe("holds");
  expect(verdictOf({ ...measurement, target: { atLeast: 0.61 } })).toBe("misses");
  expect(verdictOf({ ...measurement, target: { atMost: 0.6 } })).toBe("holds");
  expect(verdictOf({ ...measurement, target: { atMost: 0.59 } })).toBe("misses");
});

test("failed requests make a measurement invalid, whatever its value, and are named", () => {
  const failed = { ...measurement, invalid: "3 requests failed" };
  expect(verdictOf(failed)).toBe("invalid");
  expect(textTable(report(failed))).toMatch(/invalid +3 requests failed/);
});

test("a line of the table shows value, spread, target, verdict and figures", () => {
  expect(markdownTable(report(measurement)).split("\n")[2]).toBe(
    "| JS no-op | process | 0.60 × ceiling (0.50 – 0.70) | ≥ 0.60 | holds | 6 of 10 requests/s |",
  );
});

test("a table says that others were busy only when they were", () => {
  expect(textTable(report())).not.toContain("others used");
  const busy = { ...report(), machine: { ...MACHINE, busyShare: 0.4 } };
  expect(textTable(busy)).toContain("others used 40 % of the processors");
});

test("JSON carries the verdicts", () => {
  const { measurements } = JSON.parse(jsonReport(report(measurement))) as {
    measurements: { verdict: string }[];
  };
  expect(measurements.map(({ verdict }) => verdict)).toEqual(["holds"]);
});

test("only the measured part of the page is replaced, and again", async () => {
  const page = await readPage("docs/bench.md");
  const first = withMeasuredPart(page, "first table");
  const second = withMeasuredPart(first, "second table");
  expect(first).toContain("first table");
  expect(second).toContain("second table");
  expect(second).not.toContain("first table");
  expect(second.length - first.length).toBe("second".length - "first".length);
  expect(second).toMatch(/^# Speed/);
  expect(second).toContain("## How to read it");
});

test("a page without the markers is refused", () => {
  expect(() => withMeasuredPart("# Speed", "table")).toThrow("lacks the lines");
});
