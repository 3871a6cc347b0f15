import { describe, expect, test } from "vitest";

import { linearAxis, logAxis, tickText } from "../../../../src/experiments/report/plot/axis.js";
import { barPlot } from "../../../../src/experiments/report/plot/bar-plot.js";
import { cdfPlot, type CurvePoint } from "../../../../src/experiments/report/plot/cdf-plot.js";
import { COLOURS, styleOf } from "../../../../src/experiments/report/plot/style.js";
import { textWidthPx } from "../../../../src/experiments/report/plot/text.js";
import { clippedTexts, overlappingTexts, xmlProblem } from "./svg-checks.js";

describe("axes", () => {
  test.each([
    [0, 1, "0 0.2 0.4 0.6 0.8 1"],
    [0, 283, "0 50 100 150 200 250 300"],
    [0, 0.017, "0 0.005 0.01 0.015 0.02"],
  ])("linear from %d to %d has ticks %s", (least, greatest, ticks) => {
    expect(linearAxis(least, greatest).ticks.map(tickText).join(" ")).toBe(ticks);
  });

  test.each([
    [0.00005, 21, 50, "0.00001 0.0001 0.001 0.01 0.1 1 10"],
    [1, 1000, 1000, "1 10 100 1,000"],
    [3, 4, 10, "1 2 5 10"],
    [3, 40, 50, "1 2 5 10 20 50"],
    [0.2, 1224, 2000, "0.1 1 10 100 1,000"],
  ])("logarithmic from %d to %d ends at %d and has ticks %s", (least, greatest, end, ticks) => {
    const axis = logAxis(least, greatest);
    expect(axis.ticks.map(tickText).join(" ")).toBe(ticks);
    expect(axis.last).toBe(end);
    expect(axis.place(least)).toBeGreaterThanOrEqual(0);
    expect(axis.place(end)).toBeCloseTo(1, 12);
  });
});

test("colours differ in grey", () => {
  const greys = COLOURS.map((colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    return 0.299 * (red as number) + 0.587 * (green as number) + 0.114 * (blue as number);
  }).sort((a, b) => a - b);
  for (const [at, grey] of greys.slice(1).entries())
    expect(grey - (greys[at] as number)).toBeGreaterThan(40);
});

test("a text is taken for wider than it is in DejaVu Sans", () => {
  // Widths of that font at 1000 px, from its metrics.
  expect(textWidthPx("response latency in ms", 1000)).toBeGreaterThan(11_500);
  expect(textWidthPx("MB/s 1,000", 1000)).toBeGreaterThan(6000);
});

const CURVE: CurvePoint[] = [
  [0.2, 0],
  [0.4, 0.5],
  [300, 0.5],
  [301, 1],
];

function cdf(xScale: "linear" | "log", labels: readonly string[]): string {
  const curves = labels.map((label, at) => ({
    label,
    style: styleOf((at % 4) as 0, at % 2 === 0 ? "paper" : "ours"),
    points: CURVE,
  }));
  return cdfPlot({ id: "x", title: 'A <title> & "more"', xLabel: "latency in ms", xScale, curves });
}

test.each(["linear", "log"] as const)("a %s plot of distributions is whole", (xScale) => {
  const svg = cdf(xScale, [
    "prototype, edge without replication",
    "ours",
    "a & b",
    "c < d",
    "e",
    "f".repeat(80),
  ]);
  expect(xmlProblem(svg)).toBe(undefined);
  expect(clippedTexts(svg)).toEqual([]);
  expect(overlappingTexts(svg)).toEqual([]);
  expect(svg).toContain("latency in ms");
});

test("a plot without curves is whole", () => {
  expect(xmlProblem(cdf("log", []))).toBe(undefined);
  expect(xmlProblem(cdf("linear", []))).toBe(undefined);
});

test("all values 0 are drawn on the left end", () => {
  const points: CurvePoint[] = [
    [0, 0],
    [0, 1],
  ];
  const style = styleOf(0, "ours");
  const curves = [{ label: "fresh", style, points }];
  const svg = cdfPlot({ id: "x", title: "t", xLabel: "ms", xScale: "linear", curves });
  expect(xmlProblem(svg)).toBe(undefined);
});

test("bars without a value are left out, intervals may reach below 0", () => {
  const bars = (value: number | undefined) =>
    value === undefined ? undefined : { value, interval: { low: -1, high: 2 * value } };
  const svg = barPlot({
    id: "x",
    title: "Bars",
    xLabel: "size",
    yLabel: "MB/s",
    groups: ["1 B", "1 MB"],
    series: [
      { label: "paper", style: styleOf(0, "paper"), values: [bars(0.00005), bars(20)] },
      { label: "ours", style: styleOf(2, "ours"), values: [bars(undefined), bars(3000)] },
    ],
  });
  expect(xmlProblem(svg)).toBe(undefined);
  expect(clippedTexts(svg)).toEqual([]);
  expect(overlappingTexts(svg)).toEqual([]);
  // The picture's ground, two hatches, a legend entry each, three bars.
  expect(svg.match(/<rect/g)).toHaveLength(8);
});
