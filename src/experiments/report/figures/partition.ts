import { count, ms, percent } from "../../numbers.js";
import { isRequestSeries } from "../../results/series.js";
import type { PooledPoint, ResultSet } from "../../results/result-set.js";
import { THIRDS_FIGURE } from "../../results/thirds.js";
import { text, type Block } from "../blocks.js";
import { orNothing, quantileCell } from "../cells.js";

/** Figures 6 and 8 with the nodes cut off from each other in the middle. */
export function partition(results: ResultSet): Block[] {
  return [
    text(
      "In the second third of the load nothing goes from node to node, nor to the naming service; clients still " +
        "reach the node next to them. Times are of what succeeded and was due in that third. Staleness needs an answer, and a lag ends " +
        "only once a value is seen: what was written during the cut is late by as much as was left of it.",
    ),
    {
      kind: "table",
      head: ["work", "series", "when", "requests", "failed", "p50 (95 %)", "p99", "greatest"],
      texts: ["series", "when"],
      rows: rowsOf(results.points(THIRDS_FIGURE)),
    },
  ];
}

function rowsOf(points: readonly PooledPoint[]): string[][] {
  const works = new Set(points.map(workOf));
  return [...works].flatMap((work) => {
    const ofWork = points.filter((point) => workOf(point) === work);
    const series = [...new Set(ofWork.flatMap(({ seriesNames }) => seriesNames))];
    return series
      .filter((name) => !name.startsWith("floor"))
      .flatMap((name) => ofWork.map((point) => rowOf(work, name, point)));
  });
}

function rowOf(work: string, series: string, point: PooledPoint): string[] {
  const { total, errors } = point.requests(series);
  const pool = point.pool(series);
  return [
    work,
    series,
    String(point.parameters["when"]),
    count(total),
    isRequestSeries(series) && total > 0 ? percent(errors / total) : "",
    quantileCell(pool, 0.5),
    orNothing(pool?.quantile(0.99), ms),
    orNothing(pool?.quantile(1), ms),
  ];
}

function workOf({ parameters }: PooledPoint): string {
  const { work, data, store } = parameters;
  return `${String(work)}, ${data === undefined ? `store: ${String(store)}` : `data: ${String(data)}`}`;
}
