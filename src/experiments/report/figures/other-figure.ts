import { count, ms } from "../../numbers.js";
import type { PooledPoint, ResultSet } from "../../results/result-set.js";
import { NOTHING, type Block } from "../blocks.js";
import { orNothing, quantileCell } from "../cells.js";

/** A figure that the paper does not have: what each of its points was measured under, and what it gave. */
export function otherFigure(results: ResultSet, figure: string): Block[] {
  const points = results.points(figure);
  const totals = points.filter(({ totalNames }) => totalNames.length > 0);
  const timed = points.filter(({ seriesNames }) => seriesNames.length > 0);
  return [
    ...(timed.length > 0 ? [timesTable(timed)] : []),
    ...(totals.length > 0 ? [totalsTable(totals)] : []),
  ];
}

function timesTable(points: readonly PooledPoint[]): Block {
  return {
    kind: "table",
    head: ["point", "series", "samples", "p50 (95 %)", "p95", "p99", "greatest"],
    texts: ["series"],
    rows: points.flatMap((point) =>
      point.seriesNames.map((series) => {
        const pool = point.pool(series);
        return [
          describe(point),
          series,
          count(pool?.valuesMs.length ?? 0),
          quantileCell(pool, 0.5),
          orNothing(pool?.quantile(0.95), ms),
          orNothing(pool?.quantile(0.99), ms),
          orNothing(pool?.quantile(1), ms),
        ];
      }),
    ),
  };
}

function totalsTable(points: readonly PooledPoint[]): Block {
  const names = [...new Set(points.flatMap(({ totalNames }) => totalNames))];
  return {
    kind: "table",
    head: ["point", ...names.map((name) => `${name}, by repeat`)],
    rows: points.map((point) => [
      describe(point),
      ...names.map((name) => point.totals(name).map(count).join(" · ") || NOTHING),
    ]),
  };
}

function describe({ name, parameters }: PooledPoint): string {
  const given = Object.entries(parameters).map(([key, value]) => `${key} ${value}`);
  return given.length > 0 ? given.join(", ") : name;
}
