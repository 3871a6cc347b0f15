import type { Machine } from "../bench/machine.js";
import { conditions, formatNumber, markdownRows } from "../bench/report.js";
import { verdictOf, type Target, type Verdict } from "../bench/results.js";
import { median, spreadOf, type Spread } from "../bench/statistics.js";
import { table } from "../cli/output.js";
import type { Absence, Comparison, Lane, LagResult, WorkResult } from "./results.js";
import { SYSTEMS, type SystemName } from "./systems.js";
import { comparisonsOf, problemOf, lagSpreads, ratesOf } from "./targets.js";
import { TITLES } from "./work.js";

/** Everything that one run found; what `--json` writes. */
export interface PeersReport {
  readonly machine: Machine;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly runS: number;
  /** Those that were there, with the versions of their parts. */
  readonly systems: readonly { readonly name: SystemName; readonly versions: readonly string[] }[];
  readonly works: readonly WorkResult[];
  readonly lags: readonly LagResult[];
  readonly absences: readonly Absence[];
}

/** A table, the same for the terminal and for a page. */
interface Section {
  readonly title: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** All tables for the terminal. */
export function textReport(report: PeersReport): string {
  const parts = sectionsOf(report).map(
    ({ title, headings, rows }) => `${title}\n\n${table(headings, rows)}`,
  );
  return `${[...parts, footer(report).join("\n")].join("\n")}\n`;
}

/** The same for a page. */
export function markdownReport(report: PeersReport): string {
  const parts = sectionsOf(report).map(({ title, headings, rows }) =>
    [`### ${title}`, "", ...markdownRows(headings, rows), ""].join("\n"),
  );
  return [...parts, ...footer(report).map((line) => `- ${line}`)].join("\n");
}

/** What is written as JSON: the report with what it says of the targets. */
export function jsonReport(report: PeersReport): string {
  const comparisons = comparisonsOf(report.works, report.lags).map((comparison) => ({
    ...comparison,
    verdict: comparisonVerdict(comparison),
  }));
  return `${JSON.stringify({ ...report, comparisons }, null, 2)}\n`;
}

function sectionsOf(report: PeersReport): Section[] {
  const { works, lags, systems } = report;
  const sections: Section[] = [
    {
      title: "Targets",
      headings: ["Enoki", "against", "times as much: median (min – max)", "target", ""],
      rows: comparisonsOf(works, lags).map(comparisonCells),
    },
    ...works.map(({ work, lanes }) => ({
      title: TITLES[work],
      headings: ["system", "durability", "isolation", "requests/s (min – max)", "p50", "p99"],
      rows: lanes.map(laneCells),
    })),
    {
      title: "From a write at one node until a watcher at the other has it, in ms",
      headings: ["system", "from its start: p50", "p99", "from its acknowledgement: p50", "p99"],
      rows: lags.map(lagCells),
    },
    {
      title: "What was measured",
      headings: ["system", "versions", "licence"],
      rows: systems.map(({ name, versions }) => {
        const { title, licence } = SYSTEMS[name];
        return [title, versions.join(", "), licence];
      }),
    },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

function comparisonCells(comparison: Comparison): string[] {
  const { title, against, value, target, invalid } = comparison;
  const verdict = comparisonVerdict(comparison) ?? "";
  const said = invalid ?? (verdict === "misses" ? "MISSES" : verdict);
  return [title, against, spread(value, 2), target === undefined ? "" : boundOf(target), said];
}

function boundOf(target: Target): string {
  return "atLeast" in target ? `≥ ${target.atLeast.toFixed(1)}` : `≤ ${target.atMost.toFixed(1)}`;
}

/** `undefined` where there is no target. */
function comparisonVerdict({ target, ...rest }: Comparison): Verdict | undefined {
  return target && verdictOf({ ...rest, target });
}

function laneCells(lane: Lane): string[] {
  const { title, durability, isolation, loads } = lane;
  const problem = problemOf(lane);
  const rate = spread(spreadOf(ratesOf(lane)), 0);
  const time = (values: readonly number[]): string => `${formatNumber(median(values), 2)} ms`;
  return [
    title,
    durability,
    isolation,
    problem === undefined ? rate : `invalid: ${problem}`,
    time(loads.map(({ p50Ms }) => p50Ms)),
    time(loads.map(({ p99Ms }) => p99Ms)),
  ];
}

function lagCells(result: LagResult): string[] {
  const started = lagSpreads(result, "startedMs");
  const acknowledged = lagSpreads(result, "acknowledgedMs");
  return [
    result.title,
    ...[started.p50, started.p99, acknowledged.p50, acknowledged.p99].map((at) => spread(at, 2)),
  ];
}

function footer(report: PeersReport): string[] {
  return [
    ...conditions(report),
    ...report.absences.map(({ title, reason, isFailure }) =>
      isFailure ? `FAILED: ${title}: ${reason}` : `left out: ${title}: ${reason}`,
    ),
  ];
}

function spread({ median, min, max }: Spread, digits: number): string {
  const [middle, low, high] = [median, min, max].map((value) => formatNumber(value, digits));
  return min === max ? `${middle}` : `${middle} (${low} – ${high})`;
}
