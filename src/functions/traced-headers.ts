import { traceOf, withTrace } from "../core/trace-context.js";
import type { Span, SpanStart, Tracer } from "../ports/tracer.js";

/** A span, if its trace is recorded, and the headers of what is done as a part of it. */
export interface TracedHeaders {
  readonly span: Span | undefined;
  readonly headers: string;
}

/**
 * Begins a span below what joined headers name, for a tracer that is on. Where they name no trace one
 * begins; if it is not to be recorded, the headers say that, so that everybody below agrees.
 */
export function startSpan(
  tracer: Tracer,
  headers: string,
  start: Omit<SpanStart, "parent">,
): TracedHeaders {
  const parent = traceOf(headers);
  const span = tracer.start({ ...start, parent });
  if (span) return { span, headers: withTrace(headers, span.context) };
  return { span, headers: parent ? headers : withTrace(headers, tracer.unrecorded()) };
}

/** Where joined headers belong in a trace, as fields of a line of the node's log; none without one. */
export function traceFields(headers: string): {
  readonly traceId?: string;
  readonly spanId?: string;
} {
  const trace = traceOf(headers);
  return trace ? { traceId: trace.traceId, spanId: trace.spanId } : {};
}
