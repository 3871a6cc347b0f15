import { EnokiError, ERRORS, type ErrorCode } from "../core/errors.js";
import type { Logger } from "../ports/logger.js";

/** A problem document (RFC 9457), ready for any kind of HTTP server. */
export interface ProblemResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body: string;
}

/** Seconds in `Retry-After` where the error itself names no time. */
const RETRY_AFTER_DEFAULT_S = 1;

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "ENOKI_QUEUE_FULL",
  "ENOKI_OUTBOX_FULL",
  "ENOKI_DRAINING",
  "ENOKI_SLOW_READER",
  "ENOKI_SESSION_NOT_REACHED",
  "ENOKI_STALE",
]);

/**
 * Turns what was thrown into a problem document. Anything but an {@link EnokiError} is a bug:
 * the caller logs it, and the document says nothing of its inside.
 */
export function problemResponse(error: unknown): ProblemResponse {
  const known = error instanceof EnokiError ? error : internalError();
  const { code, status, extra } = known;
  const body = JSON.stringify({
    ...extra,
    type: `/errors/${code}`,
    title: ERRORS[code].title,
    status,
    detail: known.message,
    code,
    fix: ERRORS[code].fix,
  });
  const headers = {
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headersOf(known),
  };
  return { status, headers, body };
}

/** The error that callers are told: what was thrown, or, after a line in the log, that it is a bug. */
export function knownError(error: unknown, logger: Logger): EnokiError {
  if (error instanceof EnokiError) return error;
  const shown = error instanceof Error ? error.stack : String(error);
  logger.error({ error: shown }, "a request failed");
  return internalError();
}

function internalError(): EnokiError {
  return new EnokiError("ENOKI_INTERNAL", "the node's log has more about it");
}

/** When it makes sense to try again, in whole seconds; `undefined` where it does not by itself. */
export function retryAfterS({ code, extra }: EnokiError): number | undefined {
  if (!RETRYABLE.has(code)) return undefined;
  const afterMs = extra["retryAfterMs"];
  const afterS = typeof afterMs === "number" ? Math.ceil(afterMs / 1000) : RETRY_AFTER_DEFAULT_S;
  return Math.max(1, afterS);
}

/** Response headers that HTTP asks for beside some statuses. */
function headersOf(error: EnokiError): Record<string, string> {
  const { code, extra } = error;
  if (code === "ENOKI_UNAUTHORIZED") return { "WWW-Authenticate": 'Bearer realm="enoki"' };
  if (code === "ENOKI_METHOD_NOT_ALLOWED" && Array.isArray(extra["allow"])) {
    return { Allow: extra["allow"].join(", ") };
  }
  const afterS = retryAfterS(error);
  return afterS === undefined ? {} : { "Retry-After": String(afterS) };
}
