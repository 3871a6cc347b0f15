import { ms } from "../numbers.js";
import type { Interval, Pool } from "../results/pool.js";
import type { Effort } from "../results/result-set.js";
import { count } from "../numbers.js";
import { lengthText } from "../expectation.js";
import { NOTHING } from "./blocks.js";
import type { CurvePoint } from "./plot/cdf-plot.js";

/** Points of a curve; more than a picture can show. */
const CURVE_POINTS = 400;

/** A value that may be missing. */
export function orNothing<T>(value: T | undefined, show: (value: T) => string): string {
  return value === undefined ? NOTHING : show(value);
}

/** `21.0 ms (20.8 to 21.3)`: a quantile with its interval. */
export function quantileCell(pool: Pool | undefined, share: number): string {
  if (pool === undefined) return NOTHING;
  return withInterval(ms(pool.quantile(share)), pool.interval(share), (value) =>
    ms(value).replace(/ ms$/, ""),
  );
}

/** A value with the interval of 95 % behind it. */
export function withInterval(
  value: string,
  interval: Interval | undefined,
  show: (value: number) => string,
): string {
  if (interval === undefined) return value;
  return `${value} (${show(interval.low)} to ${show(interval.high)})`;
}

/** What was done for a figure, as a sentence. */
export function effortText({ pointsTotal, loadS, requestsTotal, errorsTotal }: Effort): string {
  return (
    `Measured: ${count(pointsTotal)} ${pointsTotal === 1 ? "point" : "points"}, repeats included, under load for ${lengthText(loadS)} in all; ` +
    `${count(requestsTotal)} requests, of which ${count(errorsTotal)} failed.`
  );
}

/** The distribution of a pool as a curve. */
export function curveOf(pool: Pool): CurvePoint[] {
  const { valuesMs } = pool;
  const step = Math.max(1, Math.floor(valuesMs.length / CURVE_POINTS));
  const points: CurvePoint[] = [[valuesMs[0] as number, 0]];
  for (let at = step - 1; at < valuesMs.length; at += step) {
    points.push([valuesMs[at] as number, (at + 1) / valuesMs.length]);
  }
  points.push([valuesMs.at(-1) as number, 1]);
  return points;
}
