import { linearAxis, logAxis, tickText, type Axis } from "./axis.js";
import { canvas, lineLook, markerElement, type Area } from "./canvas.js";
import type { Style } from "./style.js";
import { px } from "./text.js";

/** A place on a curve: which share of the values is at most x. */
export type CurvePoint = readonly [x: number, share: number];

/** One distribution. */
export interface Curve {
  readonly label: string;
  readonly style: Style;
  /** In rising order of both. */
  readonly points: readonly CurvePoint[];
}

/** What a plot of distributions shows. */
export interface CdfPlot {
  readonly id: string;
  readonly title: string;
  /** With its unit. */
  readonly xLabel: string;
  readonly xScale: "linear" | "log";
  readonly curves: readonly Curve[];
}

/** Shares at which a curve has its marker. */
const MARKED = [0.1, 0.3, 0.5, 0.7, 0.9];
/** The axis ends where all curves have this share: one slow request in a thousand would squeeze the rest. */
const SHOWN = 0.999;
/** On a logarithmic axis nothing smaller is shown. */
const LEAST_MS = 0.01;

/** Distributions as rising curves, in the form of the paper's Figures 3, 6 and 8. */
export function cdfPlot({ id, title, xLabel, xScale, curves }: CdfPlot): string {
  const x = xAxisOf(curves, xScale);
  const y = linearAxis(0, 1);
  const surround = {
    id,
    title,
    xLabel,
    yLabel: "share of requests",
    y,
    xTicks: x.ticks.map((tick) => ({ place: x.place(tick), label: tickText(tick) })),
    hasVerticalLines: true,
    legend: curves,
  };
  return canvas(surround, (area) => curves.map((curve) => drawCurve(curve, x, area)).join("\n"));
}

/** The x at which a curve reaches a share. */
export function xAt(points: readonly CurvePoint[], share: number): number {
  return (points.find(([, reached]) => reached >= share) ?? points.at(-1))?.[0] ?? Number.NaN;
}

/** Where on the picture the drawn line reaches a share, also between two of its points. */
function placeAt(
  points: readonly CurvePoint[],
  share: number,
  toX: (value: number) => number,
): number {
  const index = points.findIndex(([, reached]) => reached >= share);
  const [x, reached] = points[index] ?? [Number.NaN, share];
  const [beforeX, before] = points[index - 1] ?? [x, reached];
  if (reached === before) return toX(x);
  return toX(beforeX) + ((share - before) / (reached - before)) * (toX(x) - toX(beforeX));
}

function xAxisOf(curves: readonly Curve[], scale: CdfPlot["xScale"]): Axis {
  const greatest = Math.max(0.01, ...curves.map(({ points }) => xAt(points, SHOWN)));
  if (scale === "linear") return linearAxis(0, greatest);
  const least = Math.min(greatest, ...curves.map(({ points }) => points[0]?.[0] ?? greatest));
  return logAxis(Math.max(LEAST_MS, least), greatest);
}

function drawCurve({ points, style }: Curve, x: Axis, area: Area): string {
  const { left, right, top, bottom } = area;
  const toX = (value: number): number =>
    left + Math.min(1, Math.max(0, x.place(Math.max(value, Number.MIN_VALUE)))) * (right - left);
  const toY = (share: number): number => bottom - share * (bottom - top);
  const shown = points.filter(([value]) => value <= x.last);
  const line = shown
    .map(([value, share], at) => `${at === 0 ? "M" : "L"}${px(toX(value))} ${px(toY(share))}`)
    .join("");
  const markers = MARKED.map((share) => {
    const at = placeAt(points, share, toX);
    return at <= right ? markerElement(style.marker, at, toY(share), style) : "";
  });
  return `<path d="${line}" ${lineLook(style)}/>${markers.join("")}`;
}
