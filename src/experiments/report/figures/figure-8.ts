import { ms, times } from "../../numbers.js";
import type { PaperCurves, PaperPlot } from "../../paper/curves.js";
import { FIGURE_8 } from "../../paper/prototype.js";
import {
  CITIES,
  KINDS,
  PLACES,
  smartCity,
  type City,
  type CityRequests,
  type Kind,
} from "../../results/by-figure.js";
import type { Pool } from "../../results/pool.js";
import type { ResultSet } from "../../results/result-set.js";
import { NOTHING, text, type Block } from "../blocks.js";
import { curveOf, orNothing, quantileCell } from "../cells.js";
import { cdfPlot, type Curve } from "../plot/cdf-plot.js";
import { styleOf } from "../plot/style.js";

const PLOTS: Readonly<Record<Kind, { readonly plot: PaperPlot; readonly name: string }>> = {
  weather: { plot: "8a", name: "weather sensor filter" },
  traffic: { plot: "8b", name: "traffic sensor filter" },
  object: { plot: "8c", name: "object recognition" },
};
const RATES: Readonly<Record<City["arrivals"], string>> = { steady: "5/s", generator: "33/s" };
/** The looks of our curves: by place of the store and rate. */
const LOOKS = { edge: { steady: 0, generator: 2 }, cloud: { steady: 1, generator: 3 } } as const;

/** Figures 8a to 8c: the smart city. */
export function figure8(results: ResultSet, curves: PaperCurves): Block[] {
  return [
    text(
      "Eight functions over edge and cloud; the store of the movement plan lies at the edge or in the cloud. Load is " +
        "open, at the 5 requests/s that the paper describes and at the 33 that its generator gave. The paper's curves " +
        "are times inside of the entry function, and so are ours beside them; the latency that clients see has plots of its own, and the table has both. Half of the events " +
        "of the two filters end there: the table is about those that pass. In the cloud the plan is changed as in the " +
        "prototype, by a read and a write, and once more by an `update`.",
    ),
    ...KINDS.map((kind) => plotBlock(results, curves, kind)),
    ...KINDS.flatMap((kind) => clientPlot(results, kind)),
    table(results),
  ];
}

function plotBlock(results: ResultSet, curves: PaperCurves, kind: Kind): Block {
  const { plot, name } = PLOTS[kind];
  const published = PLACES.map((store): Curve => ({
    label: `prototype, store: ${store}`,
    style: styleOf(LOOKS[store].steady, "paper"),
    points: curves.points(plot, store),
  }));
  const ours = ourCurves(results, kind, ({ all }) => all);
  return {
    kind: "plot",
    file: `figure-${plot}`,
    caption: `Figure ${plot}: time inside of the ${name}. Dashed: the prototype at 33/s, as in the paper. Solid: ours.`,
    svg: cdfPlot({
      id: `figure-${plot}`,
      title: `${plot}: ${name}`,
      xLabel: "time inside of the function in ms, logarithmic",
      xScale: "log",
      curves: [...published, ...ours],
    }),
  };
}

/** As the clients see it, which the paper does not show. */
function clientPlot(results: ResultSet, kind: Kind): Block[] {
  const ours = ourCurves(results, kind, ({ client }) => client.pool);
  if (ours.length === 0) return [];
  const { plot, name } = PLOTS[kind];
  return [
    {
      kind: "plot",
      file: `figure-${plot}-client`,
      caption: `Figure ${plot}, client latency: response latency of requests that pass the ${name}, over the client's link. Solid: ours; the paper shows none.`,
      svg: cdfPlot({
        id: `figure-${plot}-client`,
        title: `${plot}, client latency: ${name}`,
        xLabel: "response latency in ms, logarithmic",
        xScale: "log",
        curves: ours,
      }),
    },
  ];
}

/** Ours, by place of the store and rate. */
function ourCurves(results: ResultSet, kind: Kind, poolOf: (found: CityRequests) => Pool): Curve[] {
  return CITIES.filter((city) => city.plan === "get and set").flatMap((city): Curve[] => {
    const found = smartCity(results, city, kind);
    if (found === undefined) return [];
    const { store, arrivals } = city;
    const style = styleOf(LOOKS[store][arrivals], "ours");
    const label = `ours, store: ${store}, ${RATES[arrivals]}`;
    return [{ label, style, points: curveOf(poolOf(found)) }];
  });
}

function table(results: ResultSet): Block {
  return {
    kind: "table",
    head: [
      "function",
      "store",
      "offered",
      "prototype p50",
      "ours p50 (95 %)",
      "p99",
      "prototype ÷ ours",
      "client p50 (95 %)",
      "client p99",
      "floor",
      "client, beyond",
    ],
    texts: ["store"],
    rows: KINDS.flatMap((kind) => CITIES.map((city) => rowOf(results, kind, city))),
  };
}

function rowOf(results: ResultSet, kind: Kind, city: City): string[] {
  const found = smartCity(results, city, kind);
  const publishedMs = FIGURE_8[kind][city.store].p50Ms;
  // As it ran; there is no other published one.
  const isPublished = city.arrivals === "generator" && city.plan === "get and set";
  const oursMs = found?.passing.quantile(0.5);
  return [
    PLOTS[kind].name,
    city.plan === "update" ? `${city.store}, \`update\`` : city.store,
    RATES[city.arrivals],
    isPublished ? ms(publishedMs) : NOTHING,
    quantileCell(found?.passing, 0.5),
    orNothing(found?.passing.quantile(0.99), ms),
    isPublished ? orNothing(oursMs && publishedMs / oursMs, times) : NOTHING,
    quantileCell(found?.client.pool, 0.5),
    orNothing(found?.client.pool.quantile(0.99), ms),
    orNothing(found?.client.floorP50Ms, ms),
    orNothing(found?.client.beyondP50Ms, ms),
  ];
}
