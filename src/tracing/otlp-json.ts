import type { SpanKind } from "../ports/tracer.js";
import type { RecordedSpan } from "./recorded-span.js";

/** What an attribute may say. */
type AttributeValue = string | number | boolean;

const KINDS: Readonly<Record<SpanKind, number>> = {
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};
const STATUS_ERROR = 2;
/** The trace flags of W3C, which OTLP repeats. */
const FLAG_SAMPLED = 1;
const NS_PER_MS = 1_000_000;

/** Whose spans they are, and by what clock. */
export interface SpanSource {
  /** What OpenTelemetry calls the resource. */
  readonly resource: Readonly<Record<string, AttributeValue>>;
  /** Version of the program. */
  readonly version: string;
  /** What is to be added to the monotonic clock to get milliseconds since 1970. */
  readonly offsetMs: number;
}

/** The body of a request to an OTLP collector: an ExportTraceServiceRequest in JSON. */
export function encodeSpans(spans: readonly RecordedSpan[], source: SpanSource): string {
  const { resource, version, offsetMs } = source;
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(Object.entries(resource)) },
        scopeSpans: [
          {
            scope: { name: "enoki", version },
            spans: spans.map((span) => spanOf(span, offsetMs)),
          },
        ],
      },
    ],
  });
}

function spanOf(span: RecordedSpan, offsetMs: number): object {
  const { context, parentId, name, kind, attributes, failure } = span;
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    flags: FLAG_SAMPLED,
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(span.startedAtMs + offsetMs),
    endTimeUnixNano: nanoseconds((span.endedAtMs ?? span.startedAtMs) + offsetMs),
    attributes: attributesOf(attributes),
    ...(failure !== undefined && { status: { code: STATUS_ERROR, message: failure } }),
  };
}

function attributesOf(attributes: Iterable<readonly [string, AttributeValue]>): object[] {
  return [...attributes].map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: AttributeValue): object {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value };
  // Integers are text in OTLP/JSON, since they may have 64 bits.
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Whole nanoseconds as text: too many for a number. */
function nanoseconds(atMs: number): string {
  const wholeMs = Math.floor(atMs);
  const restNs = Math.round((atMs - wholeMs) * NS_PER_MS);
  return String(BigInt(wholeMs) * BigInt(NS_PER_MS) + BigInt(restNs));
}
