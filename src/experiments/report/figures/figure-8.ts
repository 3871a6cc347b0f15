import { ms, times } from "../../numbers.js";
import type { PaperCurves, PaperPlot } from "../../paper/curves.js";
import { FIGURE_8 } from "../../paper/prototype.js";
import {
  ENTRY_FUNCTIONS,
  medianOfPassing,
  OFFERED_RATES,
  PLACES,
  smartCity,
  type EntryFunction,
} from "../../results/by-figure.js";
import type { ResultSet } from "../../results/result-set.js";
import { NOTHING, text, type Block } from "../blocks.js";
import { curveOf, orNothing, quantileCell } from "../cells.js";
import { cdfPlot, type Curve } from "../plot/cdf-plot.js";
import { styleOf } from "../plot/style.js";

const PLOTS: Readonly<Record<EntryFunction, { readonly plot: PaperPlot; readonly name: string }>> =
  {
    weathersensorfilter: { plot: "8a", name: "weather sensor filter" },
    trafficsensorfilter: { plot: "8b", name: "traffic sensor filter" },
    objectrecognition: { plot: "8c", name: "object recognition" },
  };

/** Figures 8a to 8c: the smart city. */
export function figure8(results: ResultSet, curves: PaperCurves): Block[] {
  return [
    text(
      "Eight functions over edge and cloud; the store of the movement plan lies at the edge or in the cloud. Load is " +
        "open, at the 5 requests/s that the paper describes and at the 33 that its generator gave. The paper's curves " +
        "are times inside of the entry function, and so are ours in the plots; the table has both. Half of the events " +
        "of the two filters end there, so the medians of what passes are those of the slower half.",
    ),
    ...ENTRY_FUNCTIONS.map((name) => plotBlock(results, curves, name)),
    table(results),
  ];
}

function plotBlock(results: ResultSet, curves: PaperCurves, name: EntryFunction): Block {
  const { plot, name: shown } = PLOTS[name];
  const published = PLACES.map((store, at): Curve => ({
    label: `prototype, store: ${store}`,
    style: styleOf(at === 0 ? 0 : 1, "paper"),
    points: curves.points(plot, store),
  }));
  const ours = PLACES.flatMap((store, at) =>
    OFFERED_RATES.flatMap((rate): Curve[] => {
      const pool = smartCity(results, store, rate, name, "in-function");
      if (pool === undefined) return [];
      const index = rate === 5 ? (at === 0 ? 0 : 1) : at === 0 ? 2 : 3;
      const style = styleOf(index, "ours");
      return [{ label: `ours, store: ${store}, ${rate}/s`, style, points: curveOf(pool) }];
    }),
  );
  return {
    kind: "plot",
    file: `figure-${plot}`,
    caption: `Figure ${plot}: time inside of the ${shown}. Dashed: the prototype at 33/s, as in the paper. Solid: ours.`,
    svg: cdfPlot({
      id: `figure-${plot}`,
      title: `${plot}: ${shown}`,
      xLabel: "time inside of the function in ms, logarithmic",
      xScale: "log",
      curves: [...published, ...ours],
    }),
  };
}

function table(results: ResultSet): Block {
  return {
    kind: "table",
    head: [
      "function",
      "store",
      "offered",
      "prototype p50, passing",
      "ours p50, passing (95 %)",
      "ours p99",
      "client p50, passing (95 %)",
      "client p99",
      "prototype ÷ ours",
    ],
    texts: ["store"],
    rows: ENTRY_FUNCTIONS.flatMap((name) =>
      PLACES.flatMap((store) =>
        OFFERED_RATES.map((rate) => {
          const inside = smartCity(results, store, rate, name, "in-function");
          const client = smartCity(results, store, rate, name, "client");
          const share = medianOfPassing(name);
          const publishedMs = FIGURE_8[name][store].p50Ms;
          const isPublished = rate === 33;
          const oursMs = inside?.quantile(share);
          return [
            PLOTS[name].name,
            store,
            `${rate}/s`,
            isPublished ? ms(publishedMs) : NOTHING,
            quantileCell(inside, share),
            orNothing(inside?.quantile(0.99), ms),
            quantileCell(client, share),
            orNothing(client?.quantile(0.99), ms),
            isPublished ? orNothing(oursMs && publishedMs / oursMs, times) : NOTHING,
          ];
        }),
      ),
    ),
  };
}
