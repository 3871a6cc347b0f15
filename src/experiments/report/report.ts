import type { PaperCurves } from "../paper/curves.js";
import type { ResultSet } from "../results/result-set.js";
import { heading, text, type Block } from "./blocks.js";
import { effortText } from "./cells.js";
import { figure3 } from "./figures/figure-3.js";
import { figure4 } from "./figures/figure-4.js";
import { figure6 } from "./figures/figure-6.js";
import { figure8 } from "./figures/figure-8.js";
import { otherFigure } from "./figures/other-figure.js";
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

/** The paper's figures stand in the report also where nothing was measured. */
const SECTIONS: ReadonlyMap<string, { readonly title: string; readonly section: Section }> =
  new Map([
    ["3", { title: "Figure 3: one function with state", section: figure3 }],
    ["4", { title: "Figure 4: throughput", section: figure4 }],
    ["6", { title: "Figure 6: replication", section: figure6 }],
    ["8", { title: "Figure 8: an application of eight functions", section: figure8 }],
  ]);

/** The whole report, from results to its blocks. */
export function reportOf({ results, curves, titles, conditions }: ReportInput): Block[] {
  const others = [...titles].filter(([figure]) => !SECTIONS.has(figure));
  return [
    ...opening(results, conditions),
    ...[...SECTIONS].flatMap(([figure, { title, section }]) => [
      heading(2, title),
      ...section(results, curves),
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
