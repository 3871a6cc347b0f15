import { ms, times } from "../../numbers.js";
import type { PaperCurves } from "../../paper/curves.js";
import { FIGURE_3 } from "../../paper/prototype.js";
import { movingAverage, PLACES, VARIANTS, type Variant } from "../../results/by-figure.js";
import type { ResultSet } from "../../results/result-set.js";
import { text, type Block } from "../blocks.js";
import { curveOf, orNothing, quantileCell } from "../cells.js";
import { cdfPlot, type Curve } from "../plot/cdf-plot.js";
import { styleOf } from "../plot/style.js";

const VARIANT_TEXT: Readonly<Record<Variant, string>> = {
  "python-awaited": "Python, four awaited trips",
  "python-sent": "Python, `set` returns once sent",
  "typescript-parallel": "TypeScript, `Promise.all`",
};

/** Figure 3: the moving average. */
export function figure3(results: ResultSet, curves: PaperCurves): Block[] {
  return [
    text(
      "The moving average at the edge, 10 requests/s, open load: four operations on its data, which lie at the " +
        "edge or in the cloud. In the second variant a plain remote `set` returns once it is sent, and the " +
        "response waits for all acknowledgements; the function is unchanged.",
    ),
    {
      kind: "plot",
      file: "figure-3",
      svg: plot(results, curves),
      caption:
        "Figure 3: response latency of the moving average. Dashed: the prototype, as in the paper. Solid: ours.",
    },
    {
      kind: "table",
      head: [
        "function",
        "data",
        "prototype p50",
        "ours p50 (95 %)",
        "p95",
        "p99",
        "floor",
        "beyond",
        "prototype ÷ ours",
      ],
      texts: ["data"],
      rows: VARIANTS.flatMap((variant) =>
        PLACES.map((data) => {
          const found = movingAverage(results, data, variant);
          const p50Ms = found?.pool.quantile(0.5);
          return [
            VARIANT_TEXT[variant],
            data,
            ms(FIGURE_3[data].p50Ms),
            quantileCell(found?.pool, 0.5),
            orNothing(found?.pool.quantile(0.95), ms),
            orNothing(found?.pool.quantile(0.99), ms),
            orNothing(found?.floorP50Ms, ms),
            orNothing(found?.beyondP50Ms, ms),
            orNothing(p50Ms && FIGURE_3[data].p50Ms / p50Ms, times),
          ];
        }),
      ),
    },
  ];
}

function plot(results: ResultSet, curves: PaperCurves): string {
  const published: Curve[] = [
    { label: "prototype, edge", style: styleOf(0, "paper"), points: curves.points("3", "edge") },
    { label: "prototype, cloud", style: styleOf(1, "paper"), points: curves.points("3", "cloud") },
  ];
  const ours = [
    { label: "ours, edge", index: 0, pool: movingAverage(results, "edge", "python-awaited")?.pool },
    {
      label: "ours, cloud",
      index: 1,
      pool: movingAverage(results, "cloud", "python-awaited")?.pool,
    },
    {
      label: "ours, cloud, sent",
      index: 2,
      pool: movingAverage(results, "cloud", "python-sent")?.pool,
    },
    {
      label: "ours, cloud, Promise.all",
      index: 3,
      pool: movingAverage(results, "cloud", "typescript-parallel")?.pool,
    },
  ] as const;
  return cdfPlot({
    id: "figure-3",
    title: "Moving average",
    xLabel: "response latency in ms",
    xScale: "linear",
    curves: [
      ...published,
      ...ours.flatMap(({ label, index, pool }) =>
        pool === undefined ? [] : [{ label, style: styleOf(index, "ours"), points: curveOf(pool) }],
      ),
    ],
  });
}
