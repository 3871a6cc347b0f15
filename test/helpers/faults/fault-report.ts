import { appendFileSync } from "node:fs";

import type { Writer } from "./writers.js";

/** Where measured rows of a table in Markdown are appended to. */
const FILE = process.env["FAULT_REPORT"];

/** Says what a fault came to: writes of these clients, and how long it took until all was equal. */
export function reportFault(fault: string, writers: readonly Writer[], afterMs: number): void {
  const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  const uncertain = writers.reduce((sum, writer) => sum + writer.uncertain, 0);
  reportRow(fault, `${acknowledged} acknowledged, ${uncertain} unanswered`, afterMs);
}

/** The same with whatever was measured. */
export function reportRow(fault: string, measured: string, afterMs: number): void {
  console.log(`${fault}: ${measured}; replicas equal after ${Math.round(afterMs)} ms`);
  if (FILE) appendFileSync(FILE, `| ${fault} | ${measured} | ${Math.round(afterMs)} ms |\n`);
}
