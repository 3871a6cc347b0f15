import { table } from "../cli/output.js";
import type { Machine } from "./machine.js";
import { verdictOf, type Measurement, type Target, type Unit } from "./results.js";
import type { Spread } from "./statistics.js";

/** Everything that one run of the bench found; what `--json` writes. */
export interface BenchReport {
  readonly machine: Machine;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly runS: number;
  readonly measurements: readonly Measurement[];
}

/** Units whose fractions say nothing. */
const WHOLE_UNITS: ReadonlySet<Unit> = new Set(["MB", "updates/s", "items/s"]);
const ROUND_TARGETS: ReadonlySet<Unit> = new Set(["GB/s", "ms"]);
const HEADINGS = ["work", "isolation", "median (min – max)", "target", "", "in figures"];
const END = "<!-- measured: end -->";
/** Others may use so much of the machine before the figures mean little. */
const BUSY_SHARE_MAX = 0.1;

/** The table for the terminal. */
export function textTable(report: BenchReport): string {
  return `${table(HEADINGS, report.measurements.map(cells))}\n${conditions(report).join("\n")}\n`;
}

/** The same for a page. */
export function markdownTable(report: BenchReport): string {
  const lines = markdownRows(HEADINGS, report.measurements.map(cells));
  return [...lines, "", ...conditions(report).map((line) => `- ${line}`)].join("\n");
}

/** The lines of a table in Markdown. */
export function markdownRows(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  return [headings, headings.map(() => "---"), ...rows].map(
    (row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
}

/**
 * A page with its measured part replaced, which `npm run` that command writes. @throws Error when the
 * page has no markers
 */
export function withMeasuredPart(page: string, markdown: string, command = "bench"): string {
  const marker = `<!-- measured: begin; written by npm run ${command} -- --write-docs -->`;
  const begin = page.indexOf(marker);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page lacks the lines ${marker} and ${END}`);
  return `${page.slice(0, begin + marker.length)}\n\n${markdown}\n\n${page.slice(end)}`;
}

/** What is written as JSON: the report with its verdicts. */
export function jsonReport(report: BenchReport): string {
  const measurements = report.measurements.map((measurement) => ({
    ...measurement,
    verdict: verdictOf(measurement),
  }));
  return `${JSON.stringify({ ...report, measurements }, null, 2)}\n`;
}

function cells(measurement: Measurement): string[] {
  const { title, isolation, unit, value, target, invalid, note } = measurement;
  const verdict = verdictOf(measurement);
  return [
    title,
    isolation ?? "",
    formatSpread(value, unit),
    formatTarget(target, unit),
    verdict === "misses" ? "MISSES" : verdict,
    invalid ?? note,
  ];
}

/** `0.61 × ceiling (0.58 – 0.63)`. */
export function formatSpread({ median, min, max }: Spread, unit: Unit): string {
  const digits = WHOLE_UNITS.has(unit) ? 0 : 2;
  const middle = `${formatNumber(median, digits)} ${unit}`;
  if (min === max) return middle;
  return `${middle} (${formatNumber(min, digits)} – ${formatNumber(max, digits)})`;
}

function formatTarget(target: Target, unit: Unit): string {
  const digits = WHOLE_UNITS.has(unit) || ROUND_TARGETS.has(unit) ? 0 : 2;
  if ("atLeast" in target) return `≥ ${formatNumber(target.atLeast, digits)}`;
  return `≤ ${formatNumber(target.atMost, digits)}`;
}

/** A number for people, with so many digits after the point. */
export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** Where, when and how a report was measured, in lines. */
export function conditions({
  machine,
  isQuick,
  rounds,
  runS,
}: Omit<BenchReport, "measurements">): string[] {
  const { busyShare } = machine;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.kernel}`,
    `Node ${machine.node}, Python ${machine.python}, wrk ${machine.wrk}; ` +
      `4 KiB write and sync ${machine.syncMs.toFixed(2)} ms`,
    `${machine.connections} connections, ${rounds} rounds of ${runS} s; ` +
      `${machine.date}, commit ${machine.commit}`,
  ];
  if (isQuick) lines.push("a quick run: the figures are rough");
  if (busyShare > BUSY_SHARE_MAX) {
    const percent = Math.round(busyShare * 100);
    lines.push(`others used ${percent} % of the processors just before: the figures are rough`);
  }
  return lines;
}
