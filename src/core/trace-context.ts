/**
 * Where something belongs in a trace, as W3C Trace Context says it. Between programs it is the value
 * of a header `traceparent`; in headers that a call carries, joined as `name\0value\0…`, one of them.
 */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** The span that what follows is a part of: 16 such digits, not all 0. */
  readonly spanId: string;
  /** Whoever began the trace has decided that it is recorded. */
  readonly isSampled: boolean;
}

/** Bytes of {@link encodeTrace}. */
export const TRACE_BYTES = 24;

const PARENT = "traceparent";
const STATE = "tracestate";
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const ALL_ZERO = /^0+$/;
const SAMPLED = 1;
const TRACE_ID_BYTES = 16;

/** Reads a `traceparent`; `undefined` for what is none, which is to be ignored. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === "ff") return undefined;
  // Later versions may say more behind what is known.
  if (version === "00" && more !== undefined) return undefined;
  if (ALL_ZERO.test(traceId) || ALL_ZERO.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** The `traceparent` that {@link parseTraceparent} reads. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** The trace that joined headers name; `undefined` if they name none, or more than one. */
export function traceOf(headers: string): TraceContext | undefined {
  const [found, another] = find(headers, PARENT);
  return found && !another ? parseTraceparent(found.value) : undefined;
}

/**
 * The headers with that trace instead of the one they name. What others have noted of a trace in
 * `tracestate` stays with it and goes with it.
 */
export function withTrace(headers: string, context: TraceContext): string {
  const isSame = traceOf(headers)?.traceId === context.traceId;
  const others = without(without(headers, PARENT), isSame ? "" : STATE);
  return `${PARENT}\0${formatTraceparent(context)}\0${others}`;
}

/**
 * The headers `to` of what is asked for on behalf of a call with the headers `from`: in the same trace.
 * Whoever asks may have named a span of its own in that.
 */
export function passTrace(from: string, to: string): string {
  const trace = traceOf(from);
  if (!trace || traceOf(to)?.traceId === trace.traceId) return to;
  const passed = [...find(from, PARENT), ...find(from, STATE)];
  const others = without(without(to, PARENT), STATE);
  return passed.map((one) => from.slice(one.from, one.to)).join("") + others;
}

/** The headers without those of that name; `""` = none. */
function without(headers: string, name: string): string {
  let kept = headers;
  for (const { from, to } of find(headers, name).toReversed()) {
    kept = kept.slice(0, from) + kept.slice(to);
  }
  return kept;
}

interface FoundHeader {
  readonly from: number;
  readonly to: number;
  readonly value: string;
}

const NONE: readonly FoundHeader[] = [];

/** Where the headers of that name lie. */
function find(headers: string, name: string): readonly FoundHeader[] {
  if (name === "" || !headers.includes(`${name}\0`)) return NONE;
  const found: FoundHeader[] = [];
  for (let from = 0, to = 0; from < headers.length; from = to) {
    const nameEnd = headers.indexOf("\0", from);
    const end = nameEnd < 0 ? -1 : headers.indexOf("\0", nameEnd + 1);
    if (end < 0) break;
    to = end + 1;
    // why by pairs: a value may well be the name of a header.
    if (nameEnd - from === name.length && headers.startsWith(name, from)) {
      found.push({ from, to, value: headers.slice(nameEnd + 1, end) });
    }
  }
  return found;
}

/** The ids of a trace that is recorded, as bytes, for messages that carry them. */
export function encodeTrace({ traceId, spanId }: TraceContext): Uint8Array {
  const digits = traceId + spanId;
  const bytes = new Uint8Array(TRACE_BYTES);
  for (let at = 0; at < TRACE_BYTES; at++) {
    bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

/** Reads what {@link encodeTrace} wrote; `undefined` for ids that nothing may have. */
export function decodeTrace(bytes: Uint8Array): TraceContext | undefined {
  let digits = "";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  const traceId = digits.slice(0, 2 * TRACE_ID_BYTES);
  const spanId = digits.slice(2 * TRACE_ID_BYTES);
  if (ALL_ZERO.test(traceId) || ALL_ZERO.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: true };
}
