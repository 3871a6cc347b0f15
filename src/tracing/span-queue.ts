import { LIMITS } from "../core/limits.js";
import type { Logger } from "../ports/logger.js";
import type { SpanCounts } from "../ports/tracer.js";
import type { CollectorAnswer } from "./collector.js";
import type { RecordedSpan } from "./recorded-span.js";

/** What a {@link SpanQueue} is made from. */
export interface SpanQueueOptions {
  /** Hands a batch over; never rejects. */
  readonly post: (spans: readonly RecordedSpan[]) => Promise<CollectorAnswer>;
  readonly logger: Logger;
  /** Where the spans go, for the log. */
  readonly shownUrl: string;
  readonly timing?: Partial<SpanTiming>;
}

/** When spans are handed over. */
export interface SpanTiming {
  /** Longest time that a span waits for others to go with. */
  readonly gatherMs: number;
  /** After a try in vain; doubles up to the greatest. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
  /** What a node that ends gives its last spans. */
  readonly closeMs: number;
}

const DEFAULT_TIMING: SpanTiming = {
  gatherMs: 1000,
  pauseMs: 1000,
  pauseMsMax: 30_000,
  closeMs: 2000,
};
/** Spans in one request. */
const BATCH_SPANS_MAX = 512;

/**
 * Ended spans on their way to the collector, in batches, one request at a time. Nobody ever waits for
 * it: what there is no room for is dropped and counted.
 */
export class SpanQueue {
  readonly #options: SpanQueueOptions;
  readonly #timing: SpanTiming;
  #waiting: RecordedSpan[] = [];
  /** While the first of them are on their way. */
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;
  #exportedTotal = 0;
  #droppedTotal = 0;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
  }

  get counts(): SpanCounts {
    return {
      exportedTotal: this.#exportedTotal,
      droppedTotal: this.#droppedTotal,
      waiting: this.#waiting.length,
    };
  }

  add(span: RecordedSpan): void {
    if (this.#isClosed || this.#waiting.length >= LIMITS.traceSpansWaitingMax) {
      this.#droppedTotal += 1;
      return;
    }
    this.#waiting.push(span);
    if (this.#sending || this.#failures > 0) return;
    if (this.#waiting.length >= BATCH_SPANS_MAX) this.#send();
    else this.#sendAfter(this.#timing.gatherMs);
  }

  /** Hands over what waits, within a bounded time; what is left then is dropped. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timing.closeMs);
    });
    await Promise.race([this.#drain(), isLate]);
    clearTimeout(timer);
    this.#droppedTotal += this.#waiting.length;
    this.#waiting = [];
  }

  async #drain(): Promise<void> {
    await this.#sending;
    const failures = this.#failures;
    while (this.#waiting.length > 0 && this.#failures === failures) await this.#sendOne();
  }

  #sendAfter(waitMs: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => this.#send(), waitMs).unref();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendOne().then(() => {
      this.#sending = undefined;
      if (this.#isClosed || this.#waiting.length === 0 || this.#failures > 0) return;
      if (this.#waiting.length >= BATCH_SPANS_MAX) this.#send();
      else this.#sendAfter(this.#timing.gatherMs);
    });
  }

  /** Hands over the oldest. They stay here until the collector has said what becomes of them. */
  async #sendOne(): Promise<void> {
    const batch = this.#waiting.slice(0, BATCH_SPANS_MAX);
    const answer = await this.#options.post(batch);
    if (answer.kind === "later") {
      this.#failed(answer.problem, answer.afterMs);
      return;
    }
    // Closed meanwhile, and dropped.
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.slice(batch.length);
    const rejected = answer.kind === "taken" ? answer.rejected : batch.length;
    this.#exportedTotal += batch.length - rejected;
    this.#droppedTotal += rejected;
    this.#answered(answer, rejected);
  }

  #answered(answer: Exclude<CollectorAnswer, { kind: "later" }>, rejected: number): void {
    const { logger, shownUrl } = this.#options;
    if (rejected > 0) {
      const fields = { collector: shownUrl, spans: rejected, problem: answer.problem };
      logger.warn(fields, "the trace collector refuses spans, which are lost");
    } else if (this.#failures > 0) {
      logger.info({ collector: shownUrl }, "the trace collector takes spans again");
    }
    this.#failures = 0;
  }

  #failed(problem: string, afterMs: number | undefined): void {
    const { logger, shownUrl } = this.#options;
    const { pauseMs, pauseMsMax } = this.#timing;
    if (this.#failures === 0) {
      logger.warn({ collector: shownUrl, problem }, "the trace collector takes no spans");
    }
    this.#failures += 1;
    const growing = pauseMs * 2 ** Math.min(this.#failures - 1, 10);
    this.#sendAfter(Math.min(Math.max(growing, afterMs ?? 0), pauseMsMax));
  }
}
