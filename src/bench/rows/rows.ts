import { COLD_START_ROWS, measureColdStarts } from "./cold-start.js";
import type { Row } from "./context.js";
import { measureLoad } from "./load-row.js";
import { LOAD_ROWS } from "./load-rows.js";
import { measureIdleMemory } from "./memory.js";

/** All rows in the order of the table. */
export const ROWS: readonly Row[] = [
  ...LOAD_ROWS.map((row): Row => ({
    name: row.name,
    isSlow: false,
    measure: (context) => measureLoad(row, context),
  })),
  ...COLD_START_ROWS.map((row): Row => ({
    name: row.name,
    isSlow: false,
    measure: (context) => measureColdStarts(row, context),
  })),
  { name: "memory", isSlow: true, measure: measureIdleMemory },
];
