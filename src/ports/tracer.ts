import type { TraceContext } from "../core/trace-context.js";

/** What part a span has between who asks and who answers, in OpenTelemetry's words. */
export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

/** What is told of a span beside its name and times. Never a secret, a body or a stored value. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a span begins. Times are on the monotonic clock of the node. */
export interface SpanStart {
  /** Few different ones: what varies belongs in the attributes. */
  readonly name: string;
  readonly kind: SpanKind;
  /** The span that it is a part of; `undefined` = it begins a trace. */
  readonly parent: TraceContext | undefined;
  /** `undefined` = now. */
  readonly atMs?: number | undefined;
  readonly attributes?: SpanAttributes;
}

/** Work that is being recorded. It is told to the collector once it has ended, and never if it does not. */
export interface Span {
  /** For what is done as a part of it. */
  readonly context: TraceContext;
  /** It has begun later than it was announced. */
  begin(atMs: number): void;
  set(attributes: SpanAttributes): void;
  /** Only the first end counts. `failure`: the code of the error that it ended in. */
  end(failure?: string, atMs?: number): void;
}

/** How many spans have gone which way since the start. */
export interface SpanCounts {
  readonly exportedTotal: number;
  /** Lost: there was no room for them, or the collector did not want them. */
  readonly droppedTotal: number;
  /** Ended, and not taken by the collector yet. */
  readonly waiting: number;
}

/** Records what a node does, for whoever looks into one request. */
export interface Tracer {
  /** False: nothing is recorded, and nobody need ask. */
  readonly isOn: boolean;
  readonly counts: SpanCounts;
  /** Begins a span, if its trace is to be recorded. */
  start(start: SpanStart): Span | undefined;
  /** A new trace that nobody records: said to all who have a part in it, they agree. */
  unrecorded(): TraceContext;
  /** Hands over what waits, if the collector takes it soon. */
  close(): Promise<void>;
}

/** Records nothing. Whoever works for it asks only whether it is on. */
export const NO_TRACER: Tracer = {
  isOn: false,
  counts: { exportedTotal: 0, droppedTotal: 0, waiting: 0 },
  start: () => undefined,
  unrecorded: () => {
    throw new Error("a tracer that is off was asked for a trace");
  },
  close: () => Promise.resolve(),
};
