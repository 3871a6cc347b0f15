import { table } from "../cli/output.js";

/** Prints a table, a little to the right. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  console.log(`\n${table(headings, rows).trimEnd().replaceAll(/^/gm, "  ")}`);
}

/** The value at that share of all `values` in order; `NaN` if there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
