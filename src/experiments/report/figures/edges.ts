import { ms } from "../../numbers.js";
import type { PooledPoint, ResultSet } from "../../results/result-set.js";
import { text, type Block } from "../blocks.js";
import { orNothing, quantileCell } from "../cells.js";
import { barPlot, type Bar } from "../plot/bar-plot.js";
import { styleOf } from "../plot/style.js";

/** What the bars are of: a series and a share. */
const BARS = [
  { label: "write p50", series: "write", share: 0.5 },
  { label: "read p50", series: "read", share: 0.5 },
  { label: "lag p50", series: "lag", share: 0.5 },
  { label: "lag p99", series: "lag", share: 0.99 },
] as const;

/** Figure 6 with replication and random phases, by the number of edges. */
export function edges(results: ResultSet): Block[] {
  const points = results.points("edges").sort((one, other) => edgesOf(one) - edgesOf(other));
  return [
    text(
      "Figure 6, replicated, with random phases: written at the first edge, read at the last one, and replicated to all, " +
        "which share this machine. With one edge there is no lag.",
    ),
    ...(points.length > 0 ? [plot(points)] : []),
    {
      kind: "table",
      head: [
        "edges",
        "write p50 (95 %)",
        "write p99",
        "read p50 (95 %)",
        "read p99",
        "lag p50 (95 %)",
        "lag p99",
      ],
      rows: points.map((point) => [
        String(edgesOf(point)),
        ...["write", "read", "lag"].flatMap((series) => [
          quantileCell(point.pool(series), 0.5),
          orNothing(point.pool(series)?.quantile(0.99), ms),
        ]),
      ]),
    },
  ];
}

function plot(points: readonly PooledPoint[]): Block {
  return {
    kind: "plot",
    file: "figure-edges",
    caption:
      "Latency at two edges and lag between them, by the number of edges that have the data.",
    svg: barPlot({
      id: "figure-edges",
      title: "By the number of edges",
      xLabel: "edges",
      yLabel: "latency or lag in ms",
      groups: points.map((point) => String(edgesOf(point))),
      series: BARS.map(({ label, series, share }, at) => ({
        label,
        style: styleOf(at as 0 | 1 | 2 | 3, "ours"),
        values: points.map((point): Bar | undefined => {
          const pool = point.pool(series);
          return pool && { value: pool.quantile(share), interval: pool.interval(share) };
        }),
      })),
    }),
  };
}

function edgesOf({ parameters }: PooledPoint): number {
  return Number(parameters["edges"]);
}
