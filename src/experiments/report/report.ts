import type { PaperCurves } from "../paper/curves.js";
import type { ResultSet } from "../results/result-set.js";
import { heading, text, type Block } from "./blocks.js";
import { effortText } from "./cells.js";
import { figure3 } from "./figures/figure-3.js";
import { figure4 } from "./figures/figure-4.js";
import { figure6 } from "./figures/figure-6.js";
import { figure8 } from "./figures/figure-8.js";
import { edges } from "./figures/edges.js";
import { lostUpdates } from "./figures/lost-updates.js";
import { otherFigure } from "./figures/other-figure.js";
import { partition } from "./figures/partition.js";
import { processorUse } from "./figures/processor-use.js";
import { method, opening, type Conditions } from "./opening.js";

/** What the report is made of. */
export interface ReportInput {
  readonly results: ResultSet;
  readonly curves: PaperCurves;
  /** Of all figures, by name, in the order of the report. */
  readonly titles: ReadonlyMap<string, string>;
  readonly conditions: Conditions;
}

type Section = (results: ResultSet, curves: PaperCurves) => Block[];

/** These figures stand in the report also where nothing was measured. */
const SECTIONS: readonly (readonly [figure: string, title: string, section: Section])[] = [
  ["3", "Figure 3: one function with state", figure3],
  ["4", "Figure 4: throughput", figure4],
  ["6", "Figure 6: replication", figure6],
  ["8", "Figure 8: an application of eight functions", figure8],
  ["partition", "Beyond the paper: cut off in the middle", partition],
  ["lost-updates", "Beyond the paper: lost updates", lostUpdates],
  ["edges", "Beyond the paper: the number of edges", edges],
];

/** The whole report, from results to its blocks. */
export function reportOf({ results, curves, titles, conditions }: ReportInput): Block[] {
  const known = new Set(SECTIONS.map(([figure]) => figure));
  const others = [...titles].filter(([figure]) => !known.has(figure));
  return [
    ...opening(results, conditions),
    ...SECTIONS.flatMap(([figure, title, section]) => [
      heading(2, title),
      ...section(results, curves),
      ...processorUse(results, figure),
      text(effortText(results.effort(figure))),
    ]),
    ...others.flatMap(([figure, title]) => [
      heading(2, title),
      ...otherFigure(results, figure),
      text(effortText(results.effort(figure))),
    ]),
    ...method(),
  ];
}
