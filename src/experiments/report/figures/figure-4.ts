import { mbPerS, perS, size, times } from "../../numbers.js";
import type { PaperCurves } from "../../paper/curves.js";
import { FIGURE_4, SIZES_BYTES } from "../../paper/prototype.js";
import {
  CLIENT_LINKS,
  PLACES,
  throughput,
  type ClientLink,
  type Place,
} from "../../results/by-figure.js";
import type { ResultSet } from "../../results/result-set.js";
import { heading, NOTHING, text, type Block } from "../blocks.js";
import { orNothing, withInterval } from "../cells.js";
import { barPlot, type BarSeries } from "../plot/bar-plot.js";
import { styleOf } from "../plot/style.js";

type Operation = "read" | "write";

const LINK_TEXT: Readonly<Record<ClientLink, string>> = {
  "10mbit": "client link of 10 Mb/s",
  unlimited: "client link unlimited",
};

/** Figures 4a and 4b: throughput. */
export function figure4(results: ResultSet, curves: PaperCurves): Block[] {
  return [
    text(
      "100 clients, each of which waits for its answer, call a Python function at the edge that reads or writes an " +
        "item; the data lie at the edge or in the cloud, the answer is short. MB are of items, 10⁶ bytes. Once over " +
        "the paper's client link, and once with that link unlimited, as small requests fill 10 Mb/s. Connections are kept, " +
        "and where the data are far the function is `async def`: the prototype had a connection and a thread for each call.",
    ),
    ...(["read", "write"] as const).flatMap((operation) => [
      heading(3, operation === "read" ? "4a: reads" : "4b: writes"),
      ...CLIENT_LINKS.map((link) => plotBlock(results, curves, operation, link)),
      table(results, operation),
    ]),
  ];
}

function plotBlock(
  results: ResultSet,
  curves: PaperCurves,
  operation: Operation,
  clientLink: ClientLink,
): Block {
  const figure = operation === "read" ? "4a" : "4b";
  const published = PLACES.map((data, index): BarSeries => {
    const values = new Map(curves.points(figure, data));
    return {
      label: `prototype, ${data}`,
      style: styleOf(index === 0 ? 0 : 1, "paper"),
      values: SIZES_BYTES.map((bytes) => {
        const value = values.get(bytes);
        return value === undefined ? undefined : { value };
      }),
    };
  });
  const ours = PLACES.map((data, index) => ({
    label: `ours, ${data}`,
    style: styleOf(index === 0 ? 2 : 3, "ours"),
    values: SIZES_BYTES.map((bytes) => barOf(results, operation, data, bytes, clientLink)),
  }));
  return {
    kind: "plot",
    file: `figure-${figure}-${clientLink}`,
    caption:
      `Figure ${figure}, ${LINK_TEXT[clientLink]}: MB/s by size of the item. Hatched: the prototype, ` +
      "as in the paper (its client link had 10 Mb/s). Filled: ours, with the 95 % interval of the repeats' mean.",
    svg: barPlot({
      id: `figure-${figure}-${clientLink}`,
      title: `Throughput of ${operation}s, ${LINK_TEXT[clientLink]}`,
      xLabel: "size of the item",
      yLabel: "throughput in MB/s",
      groups: SIZES_BYTES.map(size),
      series: [...published, ...ours],
    }),
  };
}

function barOf(
  results: ResultSet,
  operation: Operation,
  data: Place,
  bytes: number,
  clientLink: ClientLink,
): BarSeries["values"][number] {
  const found = throughput(results, { operation, data, bytes, clientLink });
  if (found === undefined || found.mbPerS === 0) return undefined;
  const { interval } = found.rate;
  const scale = bytes / 1e6;
  return {
    value: found.mbPerS,
    ...(interval && { interval: { low: interval.low * scale, high: interval.high * scale } }),
  };
}

function table(results: ResultSet, operation: Operation): Block {
  return {
    kind: "table",
    head: [
      "size",
      "data",
      "prototype",
      "ours, 10 Mb/s (95 %)",
      "bare server",
      "ours ÷ prototype",
      "ours, unlimited (95 %)",
      "bare server, unlimited",
      "ours ÷ prototype, unlimited",
    ],
    texts: ["data"],
    rows: SIZES_BYTES.flatMap((bytes, at) =>
      PLACES.map((data) => {
        const prototypePerS = FIGURE_4[operation][data][at] as number;
        const prototype = `${perS(prototypePerS)}, ${mbPerS((prototypePerS * bytes) / 1e6)}`;
        const ours = CLIENT_LINKS.flatMap((clientLink) => {
          const found = throughput(results, { operation, data, bytes, clientLink });
          if (found === undefined) return [NOTHING, NOTHING, NOTHING];
          const { rate, floorPerS } = found;
          return [
            `${withInterval(perS(rate.perS), rate.interval, (value) => perS(value).replace("/s", ""))}, ${mbPerS(found.mbPerS)}`,
            orNothing(floorPerS, perS),
            times(rate.perS / prototypePerS),
          ];
        });
        return [size(bytes), data, prototype, ...ours];
      }),
    ),
  };
}
