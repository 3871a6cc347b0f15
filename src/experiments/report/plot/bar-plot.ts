import { logAxis, type Axis } from "./axis.js";
import { canvas, type Area } from "./canvas.js";
import type { Interval } from "../../results/pool.js";
import type { Style } from "./style.js";
import { px } from "./text.js";

/** One colour of bars: a value per group. */
export interface BarSeries {
  readonly label: string;
  readonly style: Style;
  /** In the order of the groups; `undefined` = not measured, no bar. */
  readonly values: readonly (Bar | undefined)[];
}

/** A value, greater than 0, and where the true one lies. */
export interface Bar {
  readonly value: number;
  readonly interval?: Interval;
}

/** What a plot of bars shows. */
export interface BarPlot {
  readonly id: string;
  readonly title: string;
  /** With its unit. */
  readonly xLabel: string;
  /** With its unit. */
  readonly yLabel: string;
  readonly groups: readonly string[];
  readonly series: readonly BarSeries[];
}

/** The share of a group's width that its bars fill. */
const FILLED = 0.82;

/** Bars per group on a logarithmic axis, in the form of the paper's Figure 4. */
export function barPlot({ id, title, xLabel, yLabel, groups, series }: BarPlot): string {
  const values = series.flatMap((one) => one.values).filter((bar) => bar !== undefined);
  const y = logAxis(
    Math.min(...values.map(({ value }) => value)) / 2,
    Math.max(...values.map(({ value, interval }) => Math.max(value, interval?.high ?? 0))),
  );
  const surround = {
    id,
    title,
    xLabel,
    yLabel,
    y,
    xTicks: groups.map((label, at) => ({ place: (at + 0.5) / groups.length, label })),
    hasVerticalLines: false,
    legend: series.map(({ label, style }, at) => ({ label, style, fill: fillOf(style, id, at) })),
    definitions: series
      .map(({ style }, at) => hatch(hatchId(id, at), style, at % 2 === 0 ? 45 : -45))
      .join(""),
  };
  return canvas(surround, (area) =>
    series.map((one, at) => drawSeries(one, at, series.length, y, area, id)).join("\n"),
  );
}

function drawSeries(
  { values, style }: BarSeries,
  index: number,
  seriesTotal: number,
  y: Axis,
  area: Area,
  id: string,
): string {
  const { left, right, top, bottom } = area;
  const groupWidth = (right - left) / values.length;
  const width = (groupWidth * FILLED) / seriesTotal;
  const toY = (value: number): number =>
    bottom - Math.min(1, Math.max(0, y.place(Math.max(value, Number.MIN_VALUE)))) * (bottom - top);
  const fill = fillOf(style, id, index);
  return values
    .map((bar, group) => {
      if (bar === undefined) return "";
      const x = left + group * groupWidth + (groupWidth * (1 - FILLED)) / 2 + index * width;
      const barTop = toY(bar.value);
      const whisker = bar.interval && drawInterval(bar.interval, x + width / 2, width, toY);
      return (
        `<rect x="${px(x)}" y="${px(barTop)}" width="${px(width - 1)}" height="${px(bottom - barTop)}" ` +
        `fill="${fill}" stroke="${style.colour}" stroke-width="1"/>${whisker ?? ""}`
      );
    })
    .join("");
}

function drawInterval(
  { low, high }: Interval,
  x: number,
  width: number,
  toY: (value: number) => number,
): string {
  const cap = px(width / 4);
  const line = `M${px(x)} ${px(toY(low))}V${px(toY(high))}`;
  const caps = [low, high].map((end) => `M${px(x - width / 4)} ${px(toY(end))}h${cap}h${cap}`);
  return `<path d="${line}${caps.join("")}" stroke="#666666" stroke-width="1" fill="none"/>`;
}

function fillOf({ isPublished, colour }: Style, id: string, index: number): string {
  return isPublished ? `url(#${hatchId(id, index)})` : colour;
}

function hatchId(id: string, index: number): string {
  return `${id}-hatch-${index}`;
}

function hatch(id: string, { colour }: Style, angle: number): string {
  return (
    `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" ` +
    `patternTransform="rotate(${angle})"><rect width="6" height="6" fill="#ffffff"/>` +
    `<path d="M0 0V6" stroke="${colour}" stroke-width="3"/></pattern>`
  );
}
