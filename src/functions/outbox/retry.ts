import { EnokiError } from "../../core/errors.js";
import type { CallResponse } from "../call.js";

const FIRST_PAUSE_MS = 100;
const PAUSE_MS_MAX = 30_000;

/**
 * True for what another try may mend: an exception, a timeout, a dead instance, code that did not
 * load, a 5xx. A 4xx is the caller's and final.
 */
export function isRetried(outcome: CallResponse | EnokiError): boolean {
  if (!(outcome instanceof EnokiError)) return outcome.status >= 500;
  return outcome.status >= 500 || outcome.code === "ENOKI_LOAD_FAILED";
}

/** True when the call was not even begun, so that this was no try at all. */
export function isPostponed(outcome: CallResponse | EnokiError): boolean {
  if (!(outcome instanceof EnokiError)) return false;
  return outcome.code === "ENOKI_QUEUE_FULL" || outcome.code === "ENOKI_DRAINING";
}

/**
 * Pause before the next try, after `tries` failed ones: 100 ms doubling to 30 s, with the upper
 * half drawn by `random` in [0, 1), so that failures do not come back in step.
 */
export function retryPauseMs(tries: number, random: number): number {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1), PAUSE_MS_MAX);
  return Math.round(pauseMs * (0.5 + random / 2));
}
