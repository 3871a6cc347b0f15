import { EnokiError, type ErrorCode } from "../../core/errors.js";
import type { CallResponse } from "../call.js";

const FIRST_PAUSE_MS = 100;
const PAUSE_MS_MAX = 30_000;

/** Refusals with a status of the caller's that another try may mend all the same. */
const RETRIED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_LOAD_FAILED",
  // It may be deployed again, and a node may not have heard of it yet.
  "ENOKI_FUNCTION_NOT_FOUND",
]);

/** What says nothing of the function: it was not begun, or the way to another node broke. */
const POSTPONED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_QUEUE_FULL",
  "ENOKI_DRAINING",
  "ENOKI_PEER_UNREACHABLE",
  "ENOKI_OUTCOME_UNKNOWN",
  "ENOKI_SESSION_NOT_REACHED",
]);

/**
 * True for what another try may mend: an exception, a timeout, a dead instance, code that did not
 * load, a function that is not there, a 5xx. Any other 4xx is the caller's and final.
 */
export function isRetried(outcome: CallResponse | EnokiError): boolean {
  if (!(outcome instanceof EnokiError)) return outcome.status >= 500;
  return outcome.status >= 500 || RETRIED.has(outcome.code);
}

/** True when that was no try: see {@link POSTPONED}. */
export function isPostponed(outcome: CallResponse | EnokiError): boolean {
  return outcome instanceof EnokiError && POSTPONED.has(outcome.code);
}

/**
 * Pause before the next try, after `tries` failed ones: 100 ms doubling to 30 s, with the upper
 * half drawn by `random` in [0, 1), so that failures do not come back in step.
 */
export function retryPauseMs(tries: number, random: number): number {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1), PAUSE_MS_MAX);
  return Math.round(pauseMs * (0.5 + random / 2));
}
