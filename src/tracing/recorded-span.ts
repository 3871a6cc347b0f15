import type { TraceContext } from "../core/trace-context.js";
import type { Span, SpanAttributes, SpanKind, SpanStart } from "../ports/tracer.js";

/** Text beyond this is cut: what a client sends must not fill the memory of the node. */
const TEXT_CHARACTERS_MAX = 256;

/** What a span is recorded with. */
export interface RecordedSpanOptions {
  readonly start: SpanStart;
  readonly context: TraceContext;
  readonly nowMs: () => number;
  readonly ended: (span: RecordedSpan) => void;
}

/** A span that is told to the collector once it has ended. */
export class RecordedSpan implements Span {
  /** All that were ever made in this process, for tests that count them. */
  static madeTotal = 0;

  readonly name: string;
  readonly kind: SpanKind;
  readonly context: TraceContext;
  readonly parentId: string | undefined;
  readonly attributes = new Map<string, string | number | boolean>();
  readonly #nowMs: () => number;
  readonly #ended: (span: RecordedSpan) => void;
  /** On the monotonic clock. */
  startedAtMs: number;
  endedAtMs: number | undefined;
  /** Code of the error that it ended in. */
  failure: string | undefined;

  constructor({ start, context, nowMs, ended }: RecordedSpanOptions) {
    RecordedSpan.madeTotal += 1;
    this.name = start.name;
    this.kind = start.kind;
    this.context = context;
    this.parentId = start.parent?.spanId;
    this.#nowMs = nowMs;
    this.#ended = ended;
    this.startedAtMs = start.atMs ?? nowMs();
    if (start.attributes) this.set(start.attributes);
  }

  begin(atMs: number): void {
    this.startedAtMs = atMs;
  }

  set(attributes: SpanAttributes): void {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      const kept = typeof value === "string" ? value.slice(0, TEXT_CHARACTERS_MAX) : value;
      this.attributes.set(name, kept);
    }
  }

  end(failure?: string, atMs?: number): void {
    if (this.endedAtMs !== undefined) return;
    this.endedAtMs = Math.max(this.startedAtMs, atMs ?? this.#nowMs());
    this.failure = failure;
    this.#ended(this);
  }
}
