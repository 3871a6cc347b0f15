import { ms, percent, times } from "../../numbers.js";
import type { PaperCurves, PaperPlot } from "../../paper/curves.js";
import { FIGURE_6 } from "../../paper/prototype.js";
import {
  delayOfReplication,
  PHASES,
  PLACEMENTS,
  replicated,
  type Phase,
  type Placement,
} from "../../results/by-figure.js";
import type { Pool } from "../../results/pool.js";
import type { ResultSet } from "../../results/result-set.js";
import { heading, NOTHING, text, type Block } from "../blocks.js";
import { curveOf, orNothing, quantileCell } from "../cells.js";
import { cdfPlot, type Curve } from "../plot/cdf-plot.js";
import { styleOf } from "../plot/style.js";

const PLACEMENT_TEXT: Readonly<Record<Placement, string>> = {
  cloud: "cloud",
  peer: "edge without replication",
  replicated: "edge with replication",
};
const PHASE_TEXT: Readonly<Record<Phase, string>> = {
  locked: "in step, as the paper",
  random: "random",
};
const STYLES = { replicated: 0, cloud: 1, peer: 2 } as const;
const UNREPLICATED = {
  cloud: { locked: 1, random: 3 },
  peer: { locked: 0, random: 2 },
} as const;

/** Figures 6a to 6c: replication. */
export function figure6(results: ResultSet, curves: PaperCurves): Block[] {
  return [
    text(
      "One client writes an item at one edge 10 times a second and reads it at the other edge as often. The data lie " +
        "in the cloud, on the edge that is written to, or on both. Staleness is the time from which the value read had been " +
        "overwritten, as the writer saw it, to the end of the read. In step, both ticks come together, as the " +
        "prototype's scripts had it; at random, each tick is drawn. The lag is how long after a value " +
        "was stored at the one edge it was visible at the other, by watches at both.",
    ),
    latencyPlot(results, curves, "write"),
    latencyTable(results, "write"),
    latencyPlot(results, curves, "read"),
    latencyTable(results, "read"),
    heading(3, "6c: staleness"),
    stalenessPlot(results, curves),
    ...unreplicatedPlot(results),
    stalenessTable(results),
  ];
}

function latencyPlot(results: ResultSet, curves: PaperCurves, series: "write" | "read"): Block {
  const plot: PaperPlot = series === "write" ? "6a" : "6b";
  const published = PLACEMENTS.map((placement): Curve => ({
    label: `prototype, ${PLACEMENT_TEXT[placement]}`,
    style: styleOf(STYLES[placement], "paper"),
    points: curves.points(plot, placement),
  }));
  const ours = PLACEMENTS.flatMap((placement) => {
    const pool = replicated(results, placement, "locked", series)?.pool;
    return curve(`ours, ${PLACEMENT_TEXT[placement]}`, STYLES[placement], pool);
  });
  return {
    kind: "plot",
    file: `figure-${plot}`,
    caption: `Figure ${plot}: latency of ${series}s. Dashed: the prototype, as in the paper. Solid: ours, ticks in step.`,
    svg: cdfPlot({
      id: `figure-${plot}`,
      title: series === "write" ? "6a: write latency" : "6b: read latency",
      xLabel: "response latency in ms",
      xScale: "linear",
      curves: [...published, ...ours],
    }),
  };
}

function latencyTable(results: ResultSet, series: "write" | "read"): Block {
  return {
    kind: "table",
    head: [
      `${series}, data on`,
      "phases",
      "prototype p50",
      "ours p50 (95 %)",
      "p95",
      "p99",
      "floor",
      "beyond",
      "prototype ÷ ours",
    ],
    texts: ["phases"],
    rows: eachPoint((placement, phase) => {
      const found = replicated(results, placement, phase, series);
      const publishedMs = FIGURE_6[series][placement].p50Ms;
      const p50Ms = found?.pool.quantile(0.5);
      return [
        PLACEMENT_TEXT[placement],
        PHASE_TEXT[phase],
        ms(publishedMs),
        quantileCell(found?.pool, 0.5),
        orNothing(found?.pool.quantile(0.95), ms),
        orNothing(found?.pool.quantile(0.99), ms),
        orNothing(found?.floorP50Ms, ms),
        orNothing(found?.beyondP50Ms, ms),
        orNothing(p50Ms && publishedMs / p50Ms, times),
      ];
    }),
  };
}

function stalenessPlot(results: ResultSet, curves: PaperCurves): Block {
  const staleness = (phase: Phase): Pool | undefined =>
    delayOfReplication(results, "replicated", phase, "staleness");
  return {
    kind: "plot",
    file: "figure-6c",
    caption:
      "Figure 6c: staleness with replication. Dashed: the prototype, as in the paper. Solid: ours; a curve that begins " +
      "above 0 has that share of fresh reads. The table counts stale reads without replication, too.",
    svg: cdfPlot({
      id: "figure-6c",
      title: "6c: staleness with replication",
      xLabel: "staleness, or lag, in ms",
      xScale: "linear",
      curves: [
        {
          label: "prototype, staleness in step",
          style: styleOf(0, "paper"),
          points: curves.points("6c", "replicated"),
        },
        ...curve("ours, staleness in step", 0, staleness("locked")),
        ...curve("ours, staleness, random", 2, staleness("random")),
        ...curve("ours, lag", 3, delayOfReplication(results, "replicated", "random", "lag")),
      ],
    }),
  };
}

/** Staleness where there are no replicas; of that the paper says only that there is none. */
function unreplicatedPlot(results: ResultSet): Block[] {
  const ours = (["cloud", "peer"] as const).flatMap((placement) =>
    PHASES.flatMap((phase) =>
      curve(
        `ours, ${PLACEMENT_TEXT[placement]}, ${phase === "locked" ? "in step" : "random"}`,
        UNREPLICATED[placement][phase],
        delayOfReplication(results, placement, phase, "staleness"),
      ),
    ),
  );
  if (ours.length === 0) return [];
  return [
    {
      kind: "plot",
      file: "figure-6c-unreplicated",
      caption:
        "Figure 6c, without replication: staleness of reads. Solid: ours. The paper draws no curves for these, as it found none. " +
        "What is above 0 is the way of an answer: the read was done before the write that overtook it was acknowledged.",
      svg: cdfPlot({
        id: "figure-6c-unreplicated",
        title: "6c: staleness without replication",
        xLabel: "staleness in ms",
        xScale: "linear",
        curves: ours,
      }),
    },
  ];
}

function stalenessTable(results: ResultSet): Block {
  return {
    kind: "table",
    head: [
      "data on",
      "phases",
      "prototype p50",
      "p99",
      "stale reads",
      "ours p50 (95 %)",
      "ours p99 (95 %)",
      "lag p50 (95 %)",
      "lag p99 (95 %)",
    ],
    texts: ["phases"],
    rows: eachPoint((placement, phase) => {
      const staleness = delayOfReplication(results, placement, phase, "staleness");
      const lag = delayOfReplication(results, placement, phase, "lag");
      const published = FIGURE_6.staleness[placement];
      const isPublished = phase === "locked";
      return [
        PLACEMENT_TEXT[placement],
        PHASE_TEXT[phase],
        isPublished ? ms(published.p50Ms) : NOTHING,
        isPublished ? ms(published.p99Ms) : NOTHING,
        orNothing(staleness?.shareAbove(0), percent),
        quantileCell(staleness, 0.5),
        quantileCell(staleness, 0.99),
        quantileCell(lag, 0.5),
        quantileCell(lag, 0.99),
      ];
    }),
  };
}

function curve(label: string, index: 0 | 1 | 2 | 3, pool: Pool | undefined): Curve[] {
  return pool === undefined
    ? []
    : [{ label, style: styleOf(index, "ours"), points: curveOf(pool) }];
}

function eachPoint(row: (placement: Placement, phase: Phase) => string[]): string[][] {
  return PLACEMENTS.flatMap((placement) => PHASES.map((phase) => row(placement, phase)));
}
