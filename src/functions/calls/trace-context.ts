import { randomBytes } from "node:crypto";

const SPAN_ID_BYTES = 8;
const TRACEPARENT =
  /(?:^|\0)traceparent\0([\da-f]{2})-([\da-f]{32})-[\da-f]{16}-([\da-f]{2})(?:-[^\0]*)?\0/;
const TRACESTATE = /(?:^|\0)(tracestate\0[^\0]*\0)/;

/**
 * The W3C trace headers for a call that is made on behalf of one with those `headers` (joined, as a
 * call carries them): the same trace, under a span of its own. `""` where there is no trace.
 */
export function childTrace(headers: string, newSpanId: () => string): string {
  if (!headers.includes("traceparent\0")) return "";
  const found = TRACEPARENT.exec(headers);
  if (!found) return "";
  const [, version, traceId, flags] = found;
  const state = TRACESTATE.exec(headers)?.[1] ?? "";
  return `traceparent\0${version}-${traceId}-${newSpanId()}-${flags}\0${state}`;
}

/** A new id of a span, as 16 hexadecimal digits. */
export function newSpanId(): string {
  return randomBytes(SPAN_ID_BYTES).toString("hex");
}
