import { CALL_ROWS } from "./calls/rows.js";
import { COLD_START_ROWS, measureColdStarts } from "./cold-start.js";
import type { Row } from "./context.js";
import { measureLoad, profiledLoad } from "./load-row.js";
import { LOAD_ROWS } from "./load-rows.js";
import { measureIdleMemory } from "./memory.js";
import { REPLICATION_ROWS } from "./replication/rows.js";
import { measureTracingOff } from "./tracing-off.js";

/** All rows in the order of the table. */
export const ROWS: readonly Row[] = [
  ...LOAD_ROWS.map((row): Row => ({
    name: row.name,
    isSlow: false,
    measure: (context) => measureLoad(row, context),
    profiled: (start) => profiledLoad(row, start),
  })),
  ...COLD_START_ROWS.map((row): Row => ({
    name: row.name,
    isSlow: false,
    measure: (context) => measureColdStarts(row, context),
  })),
  ...REPLICATION_ROWS,
  ...CALL_ROWS,
  { name: "tracing-off", isSlow: false, measure: measureTracingOff },
  { name: "memory", isSlow: true, measure: measureIdleMemory },
];
