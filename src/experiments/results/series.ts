import type { Point, Sample } from "./point.js";

/** One series of one measured point, reduced to what the report needs. */
export interface Series {
  /** Times of what succeeded within the window, in rising order. */
  readonly valuesMs: Float64Array;
  /** Samples of the whole load, failed ones included. */
  readonly samplesTotal: number;
  /** Samples of the whole load that failed. */
  readonly errorsTotal: number;
  /** What succeeded and ended, a second. */
  readonly endedPerS: number;
}

/**
 * Splits the samples of a point into its series. The window is the load without its cut ends. Floors
 * are not cut: they are measured beside the load, and nothing warms up in them.
 */
export function seriesOf(point: Point, samples: readonly Sample[]): ReadonlyMap<string, Series> {
  const bySeries = new Map<string, Sample[]>();
  for (const sample of samples) {
    const known = bySeries.get(sample.series);
    if (known === undefined) bySeries.set(sample.series, [sample]);
    else known.push(sample);
  }
  return new Map(
    [...bySeries].map(([name, ofSeries]) => [name, reduce(ofSeries, windowOf(point, name))]),
  );
}

/** True for series whose samples are requests to functions; the others are floors or derived from requests. */
export function isRequestSeries(name: string): boolean {
  return !/^(?:floor|staleness|lag|in-function)/.test(name);
}

/** A request is long if it takes that share of the window. */
const LONG_SHARE = 0.1;

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

function windowOf({ loadS, cutS }: Point, series: string): Window {
  if (series.startsWith("floor")) return { fromMs: -Infinity, toMs: Infinity };
  return { fromMs: cutS * 1000, toMs: (loadS - cutS) * 1000 };
}

function reduce(samples: readonly Sample[], window: Window): Series {
  const good = samples.filter(({ status }) => status >= 200 && status < 300);
  const isWithin = (ms: number): boolean => ms >= window.fromMs && ms < window.toMs;
  const valuesMs = Float64Array.from(
    good.filter(({ atMs }) => isWithin(atMs)),
    ({ valueMs }) => valueMs,
  ).sort();
  return {
    valuesMs,
    samplesTotal: samples.length,
    errorsTotal: samples.length - good.length,
    endedPerS: endedPerS(good, valuesMs, window),
  };
}

/**
 * Requests that ended within the window, by its length. Where they take long beside the window, it goes
 * on to the last answer: else it would be chance whether many of them end just before it does or after.
 */
function endedPerS(good: readonly Sample[], sortedMs: Float64Array, window: Window): number {
  const p50Ms = sortedMs[sortedMs.length >> 1] ?? Infinity;
  const isLong = p50Ms > LONG_SHARE * (window.toMs - window.fromMs);
  const fromMs = Math.max(0, window.fromMs);
  const endsMs = good.map(({ atMs, valueMs }) => atMs + valueMs).filter((ms) => ms >= fromMs);
  const lastMs = endsMs.reduce((last, endMs) => Math.max(last, endMs), fromMs);
  const toMs = isLong || window.toMs === Infinity ? lastMs : window.toMs;
  const total = endsMs.filter((endMs) => endMs <= toMs).length;
  return total === 0 ? 0 : (total / (toMs - fromMs)) * 1000;
}
