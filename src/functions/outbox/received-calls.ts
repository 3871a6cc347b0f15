import { EnokiError } from "../../core/errors.js";
import type { FunctionName, InvocationId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { CallEnd, CallOrder } from "../calls/call-order.js";
import type { LocalCalls } from "../calls/local-calls.js";
import type { FunctionHost } from "../function-host.js";
import type { FunctionSessions } from "../sessions.js";
import { endOf, marksOf, outcomeOf } from "./ends.js";
import type { OutboxStore } from "./outbox-store.js";
import type { ResultShelf } from "./result-shelf.js";
import { traceFields } from "../traced-headers.js";
import { isPostponed, isRetried } from "./retry.js";
import * as rows from "./rows.js";

/** What {@link ReceivedCalls} are made from. */
export interface ReceivedCallsOptions {
  readonly local: LocalCalls;
  readonly shelf: ResultShelf;
  /** The store that keeps what became of the calls of a function. */
  readonly storeOf: (name: FunctionName) => OutboxStore;
  readonly sessions: FunctionSessions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Runs here what the outboxes of other nodes deliver. They deliver again whenever they do not know how
 * it ended, so the end of each is stored before it is told, and what has ended here is told again
 * instead of done again, as long as the result is kept.
 */
export class ReceivedCalls {
  readonly #options: ReceivedCallsOptions;
  /** What runs now: one that comes again meanwhile waits for the same end. */
  readonly #running = new Map<InvocationId, Promise<CallEnd>>();

  constructor(options: ReceivedCallsOptions) {
    this.#options = options;
  }

  async run(host: FunctionHost, order: CallOrder): Promise<CallEnd> {
    const { shelf, sessions } = this.#options;
    const running = this.#running.get(order.id);
    if (running) return running;
    const kept = shelf.read(order.id);
    if (kept) return endOf(kept, sessions);
    const end = this.#run(host, order);
    this.#running.set(order.id, end);
    try {
      return await end;
    } finally {
      this.#running.delete(order.id);
    }
  }

  async #run(host: FunctionHost, order: CallOrder): Promise<CallEnd> {
    const { local, clock, logger } = this.#options;
    const beganMs = clock.nowMs();
    const end = await local.run(host, order);
    const { outcome, isStarted } = end;
    // What the sender tries again has not ended.
    if (!isStarted || isPostponed(outcome) || isRetried(outcome)) return end;
    try {
      await this.#store(host, order.id, end, beganMs);
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      // It is told now, and comes again only if the answer is lost.
      const fields = {
        error: error.message,
        id: order.id,
        ...traceFields(order.request.headers),
      };
      logger.warn(fields, "a result could not be kept");
    }
    return end;
  }

  async #store(host: FunctionHost, id: InvocationId, end: CallEnd, beganMs: number): Promise<void> {
    const { storeOf, shelf, sessions, clock } = this.#options;
    const result: rows.StoredResult = {
      function: host.name,
      idempotencyKey: "",
      createdAtMs: beganMs,
      finishedAtMs: clock.nowMs(),
      tries: 1,
      outcome: outcomeOf(end),
      marks: marksOf(end, host.name, sessions),
    };
    const encoded = rows.encodeResult(result);
    const store = storeOf(host.name);
    await store.commitLocal(() => ({
      writes: [{ key: rows.resultKey(id, result.finishedAtMs), value: encoded }],
      value: undefined,
    }));
    shelf.add(store, id, result, encoded.length);
  }
}
