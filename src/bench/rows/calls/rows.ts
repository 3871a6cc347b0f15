import type { Row } from "../context.js";
import { measureCall, measureSend } from "./latency.js";
import { measureQueuedSends } from "./queued-sends.js";

/** What functions do with each other. */
export const CALL_ROWS: readonly Row[] = [
  { name: "call", isSlow: false, measure: measureCall },
  { name: "send", isSlow: false, measure: measureSend },
  { name: "queued-sends", isSlow: false, measure: measureQueuedSends },
];
