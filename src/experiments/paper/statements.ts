import { APPLICATION } from "./statements-application.js";
import { REPLICATION } from "./statements-replication.js";
import { MOVING_AVERAGE, THROUGHPUT } from "./statements-single.js";
import type { Statement } from "./statement.js";

/** Every statement of the paper's result sections, in its order. */
export const STATEMENTS: readonly Statement[] = [
  ...MOVING_AVERAGE,
  ...THROUGHPUT,
  ...REPLICATION,
  ...APPLICATION,
];
