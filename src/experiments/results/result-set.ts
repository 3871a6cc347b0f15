import { meanOf, mergeSorted, Pool, type Interval } from "./pool.js";
import type { Point, Result } from "./point.js";
import { isRequestSeries, seriesOf, type Series } from "./series.js";

/** Values that parameters of a point must have. */
export type Where = Point["parameters"];

/** How many a second, as the mean of the repeats. */
export interface Rate {
  readonly perS: number;
  readonly interval?: Interval;
}

/** How much was done for a figure. */
export interface Effort {
  readonly pointsTotal: number;
  readonly loadS: number;
  readonly requestsTotal: number;
  readonly errorsTotal: number;
}

const NO_VALUES = new Float64Array();

interface Run {
  readonly point: Point;
  readonly series: ReadonlyMap<string, Series>;
  readonly totals: Readonly<Record<string, number>>;
}

/** All repeats of one point. */
export class PooledPoint {
  readonly #runs: Run[] = [];
  readonly #pools = new Map<string, Pool | undefined>();

  /** The parameters, which all repeats share. */
  get parameters(): Where {
    return this.#runs[0]?.point.parameters ?? {};
  }

  get name(): string {
    return this.#runs[0]?.point.name ?? "";
  }

  get repeatsTotal(): number {
    return this.#runs.length;
  }

  add(run: Run): void {
    this.#runs.push(run);
    this.#pools.clear();
  }

  /** Successful values of these series within the window, of all repeats; `undefined` if there are none. */
  pool(...names: readonly string[]): Pool | undefined {
    const key = names.join(" ");
    if (!this.#pools.has(key)) {
      const repeats = this.#runs.map(({ series }) => {
        const some = names.map((name) => series.get(name)?.valuesMs ?? NO_VALUES);
        return some.length === 1 ? (some[0] as Float64Array) : mergeSorted(some);
      });
      const pool = new Pool(repeats.filter(({ length }) => length > 0));
      this.#pools.set(key, pool.valuesMs.length > 0 ? pool : undefined);
    }
    return this.#pools.get(key);
  }

  /** How many of a series succeeded and ended a second; `undefined` if it was not measured. */
  rate(series: string): Rate | undefined {
    const perS = this.#of(series).map(({ endedPerS }) => endedPerS);
    if (perS.length === 0) return undefined;
    const { mean, interval } = meanOf(perS);
    return { perS: mean, ...(interval && { interval }) };
  }

  /** Values of a total, one for each repeat that has it. */
  totals(name: string): number[] {
    return this.#runs.map(({ totals }) => totals[name]).filter((value) => value !== undefined);
  }

  /** Names of all totals, in order of appearance. */
  get totalNames(): string[] {
    return [...new Set(this.#runs.flatMap(({ totals }) => Object.keys(totals)))];
  }

  /** Names of all series, in order of appearance. */
  get seriesNames(): string[] {
    return [...new Set(this.#runs.flatMap(({ series }) => [...series.keys()]))];
  }

  /** How many requests of a series were sent, and how many of them failed, over the whole load. */
  requests(series: string): { readonly total: number; readonly errors: number } {
    const all = this.#of(series);
    return {
      total: sum(all.map(({ samplesTotal }) => samplesTotal)),
      errors: sum(all.map(({ errorsTotal }) => errorsTotal)),
    };
  }

  /** What was done for it. */
  get effort(): Effort {
    const requests = this.#runs.flatMap(({ series }) =>
      [...series].filter(([name]) => isRequestSeries(name)).map(([, of]) => of),
    );
    return {
      pointsTotal: this.#runs.length,
      loadS: sum(this.#runs.map(({ point }) => point.loadS)),
      requestsTotal: sum(requests.map(({ samplesTotal }) => samplesTotal)),
      errorsTotal: sum(requests.map(({ errorsTotal }) => errorsTotal)),
    };
  }

  #of(series: string): Series[] {
    return this.#runs.map((run) => run.series.get(series)).filter((found) => found !== undefined);
  }
}

/** Everything that was measured, as the report asks for it. */
export class ResultSet {
  readonly #points = new Map<string, Map<string, PooledPoint>>();
  readonly #commits = new Set<string>();
  readonly #networks = new Set<string>();
  readonly #times: string[] = [];

  /** Takes what the report needs of a result; the rest can be forgotten. */
  add({ point, samples, totals = {}, commit, network, measuredAt }: Result): void {
    const figure = this.#points.get(point.figure) ?? new Map<string, PooledPoint>();
    this.#points.set(point.figure, figure);
    const pooled = figure.get(point.name) ?? new PooledPoint();
    figure.set(point.name, pooled);
    pooled.add({ point, series: seriesOf(point, samples), totals });
    this.#commits.add(commit);
    this.#networks.add(network);
    this.#times.push(measuredAt);
  }

  get commits(): string[] {
    return [...this.#commits];
  }

  get networks(): string[] {
    return [...this.#networks];
  }

  /** When the first and the last result were there, ISO 8601; `undefined` without results. */
  get period(): readonly [first: string, last: string] | undefined {
    const sorted = [...this.#times].sort();
    const [first] = sorted;
    const last = sorted.at(-1);
    return first !== undefined && last !== undefined ? [first, last] : undefined;
  }

  /** The points of a figure that have those parameters. */
  points(figure: string, where: Where = {}): PooledPoint[] {
    const wanted = Object.entries(where);
    return [...(this.#points.get(figure)?.values() ?? [])].filter(({ parameters }) =>
      wanted.every(([name, value]) => parameters[name] === value),
    );
  }

  /** The first of {@link points}; `undefined` if none was measured. */
  point(figure: string, where: Where): PooledPoint | undefined {
    return this.points(figure, where)[0];
  }

  /** What was done for a figure. */
  effort(figure: string): Effort {
    const efforts = this.points(figure).map(({ effort }) => effort);
    return {
      pointsTotal: sum(efforts.map(({ pointsTotal }) => pointsTotal)),
      loadS: sum(efforts.map(({ loadS }) => loadS)),
      requestsTotal: sum(efforts.map(({ requestsTotal }) => requestsTotal)),
      errorsTotal: sum(efforts.map(({ errorsTotal }) => errorsTotal)),
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
