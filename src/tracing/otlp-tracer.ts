import type { TraceContext } from "../core/trace-context.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Span, SpanCounts, SpanStart, Tracer } from "../ports/tracer.js";
import { Collector, type CollectorAddress } from "./collector.js";
import { encodeSpans } from "./otlp-json.js";
import { RecordedSpan } from "./recorded-span.js";
import { isSampled } from "./sampling.js";
import { SpanQueue, type SpanTiming } from "./span-queue.js";
import { TraceIds } from "./trace-ids.js";

/** What an {@link OtlpTracer} is made from. */
export interface OtlpTracerOptions {
  readonly collector: CollectorAddress;
  /** Share of the traces that begin here and are recorded, from 0 to 1; those from elsewhere say it themselves. */
  readonly ratio: number;
  readonly resource: Readonly<Record<string, string | number>>;
  readonly version: string;
  readonly clock: Clock;
  /** What to add to the monotonic clock to get the wall clock, finer than that can be read. */
  readonly offsetMs: number;
  readonly logger: Logger;
  readonly timing?: Partial<SpanTiming>;
}

/** The wall clock may be put right by so much before spans follow it. */
const OFFSET_MS_MAX = 5;

/** Records spans and tells them to an OpenTelemetry collector. */
export class OtlpTracer implements Tracer {
  readonly isOn = true;
  readonly #options: OtlpTracerOptions;
  readonly #ids = new TraceIds();
  readonly #queue: SpanQueue;
  readonly #collector: Collector;
  readonly #nowMs: () => number;
  readonly #ended: (span: RecordedSpan) => void;
  #offsetMs: number;

  constructor(options: OtlpTracerOptions) {
    const { collector, clock, logger, timing } = options;
    this.#options = options;
    this.#collector = new Collector(collector);
    this.#nowMs = () => clock.monotonicMs();
    this.#offsetMs = options.offsetMs;
    this.#queue = new SpanQueue({
      post: (spans) => this.#post(spans),
      logger,
      shownUrl: withoutSecrets(collector.url),
      ...(timing && { timing }),
    });
    this.#ended = (span) => this.#queue.add(span);
  }

  get counts(): SpanCounts {
    return this.#queue.counts;
  }

  start(start: SpanStart): Span | undefined {
    const { parent } = start;
    const traceId = parent?.traceId ?? this.#ids.traceId();
    if (!(parent ? parent.isSampled : isSampled(traceId, this.#options.ratio))) return undefined;
    const context: TraceContext = { traceId, spanId: this.#ids.spanId(), isSampled: true };
    return new RecordedSpan({ start, context, nowMs: this.#nowMs, ended: this.#ended });
  }

  unrecorded(): TraceContext {
    return { traceId: this.#ids.traceId(), spanId: this.#ids.spanId(), isSampled: false };
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#collector.close();
  }

  #post(spans: readonly RecordedSpan[]) {
    const { resource, version, clock } = this.#options;
    // why not at each span: those of one request must not lie beside each other when the clock is set.
    const offsetMs = clock.nowMs() - clock.monotonicMs();
    if (Math.abs(offsetMs - this.#offsetMs) > OFFSET_MS_MAX) this.#offsetMs = offsetMs;
    const source = { resource, version, offsetMs: this.#offsetMs };
    return this.#collector.post(encodeSpans(spans, source));
  }
}

/** An address for the log: keys may stand in its query, or before its host. */
function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
