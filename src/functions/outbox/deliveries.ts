// Why so long: the tries of an invocation, from the queue to its stored end, share one bookkeeping.

import { EnokiError } from "../../core/errors.js";
import type { FunctionName, InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { NO_TRACER, type Span, type Tracer } from "../../ports/tracer.js";
import type { CallRequest, CallResponse } from "../call.js";
import { type CallEnd, type CallOrder, notBegun } from "../calls/call-order.js";
import type { FunctionCalls } from "../calls/function-calls.js";
import { failureOf } from "../invocation-spans.js";
import type { FunctionSessions } from "../sessions.js";
import { startSpan, traceFields } from "../traced-headers.js";
import type { InvocationSummary } from "../types.js";
import { DeadLetters } from "./dead-letters.js";
import { DueQueue } from "./due-queue.js";
import { marksOf, outcomeOf } from "./ends.js";
import { OrderLanes } from "./order-lanes.js";
import type { OutboxStore } from "./outbox-store.js";
import type { ResultShelf } from "./result-shelf.js";
import { isPostponed, isRetried, retryPauseMs } from "./retry.js";
import * as rows from "./rows.js";

/** What {@link Deliveries} are made from. */
export interface DeliveriesOptions {
  readonly calls: FunctionCalls;
  readonly shelf: ResultShelf;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly sessions: FunctionSessions;
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer;
}

/** Calls of one function that the outbox keeps running at once. */
const RUNNING_MAX = 64;
/** Pause after a call that found the queue full or the node draining. */
const POSTPONE_MS = 100;
/** Pause after a call that found its session ahead of the data. */
const SESSION_PAUSE_MS = 1000;
/** How often is looked whether a function can be reached again that runs elsewhere. */
const LOOK_MS = 200;
/** Pause after an end that could not be stored, on a full disk for one. */
const UNSTORED_PAUSE_MS = 1000;

/** Pause after an invocation that could not be read from its store. */
const UNREADABLE_PAUSE_MS = 1000;

/** What is held in memory of an invocation that has not ended well. */
export interface Tracked {
  readonly store: OutboxStore;
  /** Of its lane; see `OrderLanes`. */
  readonly lane: Pick<rows.StoredEntry, "function" | "from" | "orderKey">;
  summary: InvocationSummary;
  /** Waits for its end. */
  ended?: (() => void) | undefined;
}

/**
 * Stored invocations on their way: each is tried when its time has come, and its end is stored
 * before it is forgotten here.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #shelf: ResultShelf;
  readonly #tracked = new Map<InvocationId, Tracked>();
  readonly #queues = new Map<string, DueQueue>();
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  readonly #dead = new DeadLetters();
  readonly #lanes = new OrderLanes();
  /** Functions that no link leads to now, each with the timer of the next look. */
  readonly #away = new Map<string, NodeJS.Timeout>();
  #isStopped = false;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#shelf = options.shelf;
  }

  /** Takes up a stored invocation; a dead letter is only kept. */
  add(store: OutboxStore, id: InvocationId, entry: rows.StoredEntry): void {
    const summary = summaryOf(id, entry);
    const { function: name, from, orderKey } = entry;
    this.#tracked.set(id, { store, summary, lane: { function: name, from, orderKey } });
    if (entry.isDead) {
      this.#buried(entry.function, id);
      return;
    }
    this.#dead.remove(entry.function, id);
    this.#count(this.#waiting, entry.function, 1);
    if (this.#lanes.add(entry, id)) this.#queue(entry.function).add(id, entry.notBeforeMs);
  }

  /** Invocations of a function that have not ended. */
  waitingOf(name: string): number {
    return this.#waiting.get(name) ?? 0;
  }

  get(id: InvocationId): Tracked | undefined {
    return this.#tracked.get(id);
  }

  /** Everything that has not ended well. */
  all(): Iterable<Tracked> {
    return this.#tracked.values();
  }

  /** Forgets a dead letter whose rows are gone. */
  forget(id: InvocationId): void {
    const tracked = this.#tracked.get(id);
    if (tracked) this.#dead.remove(tracked.summary.function, id);
    this.#tracked.delete(id);
  }

  /** A keygroup was dropped, and its invocations with it. */
  dropStore(name: string): void {
    for (const [id, tracked] of this.#tracked) {
      if (tracked.store.name === name) this.#drop(tracked, id);
    }
  }

  /** Its rows are gone: nothing is left to try, and what waits behind it waits no longer. */
  #drop({ summary, lane }: Tracked, id: InvocationId): void {
    if (summary.state !== "dead") this.#count(this.#waiting, summary.function, -1);
    this.#giveTurn(lane, id);
    this.forget(id);
  }

  /** Tries nothing more; what runs may still end and be recorded. */
  stop(): void {
    this.#isStopped = true;
    for (const queue of this.#queues.values()) queue.stop();
    for (const timer of this.#away.values()) clearTimeout(timer);
  }

  #queue(name: string): DueQueue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new DueQueue(this.#options.clock, () => this.#pump(name));
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #pump(name: string): void {
    const queue = this.#queue(name);
    while (!this.#isStopped && (this.#running.get(name) ?? 0) < RUNNING_MAX) {
      if (this.#isAway(name)) return;
      const id = queue.takeDue();
      if (id === undefined) return;
      this.#try(id);
    }
  }

  /** True while the function runs only where no link leads to: what waits for it goes on waiting. */
  #isAway(name: string): boolean {
    if (this.#away.has(name)) return true;
    if (this.#options.calls.reach(name) !== "away" || this.waitingOf(name) === 0) return false;
    const look = (): void => {
      this.#away.delete(name);
      this.#pump(name);
    };
    this.#away.set(name, setTimeout(look, LOOK_MS).unref());
    return true;
  }

  #try(id: InvocationId): void {
    const tracked = this.#tracked.get(id);
    if (!tracked) return;
    let entry: rows.StoredEntry | undefined;
    try {
      entry = readEntry(tracked);
    } catch (error) {
      this.#options.logger.error({ error: String(error), id }, "an invocation could not be read");
      const atMs = this.#options.clock.nowMs() + UNREADABLE_PAUSE_MS;
      this.#queue(tracked.summary.function).add(id, atMs);
      return;
    }
    if (!entry) {
      this.#drop(tracked, id);
      return;
    }
    this.#count(this.#running, entry.function, 1);
    tracked.summary = { ...tracked.summary, state: "running" };
    void this.#run(tracked, id, entry);
  }

  async #run(tracked: Tracked, id: InvocationId, entry: rows.StoredEntry): Promise<void> {
    try {
      await this.#settled(tracked, id, entry, await this.#deliver(id, entry));
    } catch (error) {
      const fields = { error: String(error), id, ...traceFields(entry.request.headers) };
      this.#options.logger.error(fields, "a result could not be stored");
      // Delivery is at least once: without a stored end it is as if the call had not been made.
      this.#again(tracked, id, entry, UNSTORED_PAUSE_MS);
    } finally {
      const running = this.#running.get(entry.function) ?? 0;
      this.#count(this.#running, entry.function, -1);
      // Else all that was due is under way, and what comes starts together, a moment after it was stored:
      // one transaction keeps the ends of many, and their sender is not held up by each.
      if (running >= RUNNING_MAX) this.#pump(entry.function);
    }
  }

  /** Lets it run, here or elsewhere, once what its caller had seen is there. */
  async #deliver(id: InvocationId, entry: rows.StoredEntry): Promise<CallEnd> {
    const { calls, sessions, tracer = NO_TRACER } = this.#options;
    const { function: name, session: token, depth = 0 } = entry;
    let session: CallOrder["session"];
    try {
      session = token === undefined ? undefined : sessions.read(token);
    } catch (error) {
      return notBegun(error as EnokiError);
    }
    let { request } = entry;
    let span: Span | undefined;
    if (tracer.isOn) ({ request, span } = startDelivery(tracer, id, entry));
    const end = await calls.call({
      id,
      function: name,
      // The same on every try: a function can tell that it has seen the call before.
      request: { ...request, idempotencyKey: request.idempotencyKey || id },
      timeoutMs: undefined,
      depth,
      session,
      isQueued: true,
    });
    span?.end(failureOf(end.outcome));
    return end;
  }

  async #settled(
    tracked: Tracked,
    id: InvocationId,
    entry: rows.StoredEntry,
    end: CallEnd,
  ): Promise<void> {
    const { outcome } = end;
    if (!this.#isTracked(tracked, id)) return;
    if (isPostponed(outcome) || this.#isCutOff(outcome)) {
      this.#again(tracked, id, entry, postponeMs(outcome));
      return;
    }
    const tried = { ...entry, tries: entry.tries + 1 };
    if (isRetried(outcome)) await this.#failed(tracked, id, tried, end);
    else await this.#finish(tracked, id, tried, end, false);
  }

  /** What a stopping node cuts off says nothing about the function, so it is no try. */
  #isCutOff(outcome: CallResponse | EnokiError): boolean {
    return (
      this.#isStopped && outcome instanceof EnokiError && outcome.code === "ENOKI_INSTANCE_DIED"
    );
  }

  async #failed(
    tracked: Tracked,
    id: InvocationId,
    tried: rows.StoredEntry,
    end: CallEnd,
  ): Promise<void> {
    if (tried.tries >= LIMITS.asyncTriesMax) {
      await this.#finish(tracked, id, tried, end, true);
      return;
    }
    const pauseMs = retryPauseMs(tried.tries, this.#options.random());
    const next = {
      ...tried,
      notBeforeMs: this.#options.clock.nowMs() + pauseMs,
      lastError: lastErrorOf(end.outcome),
    };
    await tracked.store.commitLocal(() => ({
      writes: [{ key: rows.entryKey(id, next.createdAtMs), value: rows.encodeEntry(next) }],
      value: undefined,
    }));
    this.#again(tracked, id, next, pauseMs);
  }

  #again(tracked: Tracked, id: InvocationId, entry: rows.StoredEntry, pauseMs: number): void {
    if (!this.#isTracked(tracked, id)) return;
    tracked.summary = summaryOf(id, entry);
    this.#queue(entry.function).add(id, this.#options.clock.nowMs() + pauseMs);
  }

  /** Records the end: the result, and the request too if it is now a dead letter. */
  async #finish(
    tracked: Tracked,
    id: InvocationId,
    tried: rows.StoredEntry,
    end: CallEnd,
    isDead: boolean,
  ): Promise<void> {
    const { store } = tracked;
    const finishedAtMs = this.#options.clock.nowMs();
    const result: rows.StoredResult = {
      function: tried.function,
      idempotencyKey: isDead ? "" : tried.request.idempotencyKey,
      createdAtMs: tried.createdAtMs,
      finishedAtMs,
      tries: tried.tries,
      outcome: outcomeOf(end),
      marks: marksOf(end, tried.function as FunctionName, this.#options.sessions),
    };
    const dead = { ...tried, isDead: true, finishedAtMs, lastError: lastErrorOf(end.outcome) };
    const encoded = rows.encodeResult(result);
    const key = rows.entryKey(id, tried.createdAtMs);
    await store.commitLocal(() => ({
      writes: [
        isDead ? { key, value: rows.encodeEntry(dead) } : rows.dropRow(key),
        { key: rows.resultKey(id, finishedAtMs), value: encoded },
      ],
      value: undefined,
    }));
    if (!this.#isTracked(tracked, id)) return;
    this.#count(this.#waiting, tried.function, -1);
    if (isDead) tracked.summary = summaryOf(id, dead);
    else this.#tracked.delete(id);
    this.#shelf.add(store, id, result, encoded.length);
    if (isDead) this.#buried(tried.function, id);
    // What waits for its turn in an order does not wait for others to start with.
    if (this.#giveTurn(tried, id)) this.#pump(tried.function);
    tracked.ended?.();
  }

  /** One has ended, well or not: the next one of its lane is tried. False if there is none. */
  #giveTurn(
    entry: Pick<rows.StoredEntry, "function" | "from" | "orderKey">,
    id: InvocationId,
  ): boolean {
    const next = this.#lanes.remove(entry, id);
    if (next) this.#queue(entry.function).add(next, this.#options.clock.nowMs());
    return next !== undefined;
  }

  /** Counts a new dead letter, and drops the oldest for it if they are too many. */
  #buried(functionName: string, id: InvocationId): void {
    const oldest = this.#dead.add(functionName, id);
    const dropped = oldest && this.#tracked.get(oldest);
    if (!dropped) return;
    this.forget(oldest);
    this.#shelf.forget(oldest);
    const { logger } = this.#options;
    logger.warn({ function: functionName, id: oldest }, "the oldest dead letter was dropped");
    this.#dropRows(dropped).catch((error: unknown) =>
      // Rows that survive a failure here are found and dropped after the next start.
      logger.warn({ error: String(error), id: oldest }, "a dead letter could not be deleted"),
    );
  }

  async #dropRows({ store, summary }: Tracked): Promise<void> {
    const { id, createdAtMs } = summary;
    await store.commitLocal((transaction) => {
      const row = transaction.get(rows.entryKey(id, createdAtMs));
      const entry = row && rows.decodeEntry(row);
      // One that is replayed in the same moment is no dead letter any more.
      const writes = entry?.isDead ? rows.deadLetterDrops(id, entry) : [];
      return { writes, value: undefined };
    });
  }

  /** False once its keygroup was dropped: its end concerns nobody any more. */
  #isTracked(tracked: Tracked, id: InvocationId): boolean {
    return this.#tracked.get(id) === tracked;
  }

  #count(counts: Map<string, number>, name: string, change: number): void {
    counts.set(name, Math.max(0, (counts.get(name) ?? 0) + change));
  }
}

/** The stored invocation; nothing where its rows are gone. @throws whatever its store throws */
function readEntry({ store, summary }: Tracked): rows.StoredEntry | undefined {
  const row = store.rows.get(rows.entryKey(summary.id, summary.createdAtMs));
  return row && rows.decodeEntry(row);
}

/** Begins the span of one try, below that of whoever sent it. */
function startDelivery(
  tracer: Tracer,
  id: InvocationId,
  { function: name, request, tries }: rows.StoredEntry,
): { readonly request: CallRequest; readonly span: Span | undefined } {
  const { span, headers } = startSpan(tracer, request.headers, {
    name: `deliver ${name}`,
    kind: "consumer",
    attributes: {
      "messaging.system": "enoki",
      "messaging.operation.name": "deliver",
      "messaging.operation.type": "process",
      "messaging.destination.name": name,
      "messaging.message.id": id,
      "enoki.try": tries + 1,
    },
  });
  return { request: { ...request, headers }, span };
}

function postponeMs(outcome: CallResponse | EnokiError): number {
  const isEarly = outcome instanceof EnokiError && outcome.code === "ENOKI_SESSION_NOT_REACHED";
  return isEarly ? SESSION_PAUSE_MS : POSTPONE_MS;
}

function lastErrorOf(outcome: CallResponse | EnokiError): rows.StoredFailure {
  if (outcome instanceof EnokiError) return rows.failureOf(outcome);
  return {
    code: "ENOKI_FUNCTION_ERROR",
    message: `the function answered ${outcome.status}`,
    extra: {},
  };
}

function summaryOf(id: InvocationId, entry: rows.StoredEntry): InvocationSummary {
  const { lastError } = entry;
  return {
    id,
    function: entry.function as FunctionName,
    state: entry.isDead ? "dead" : "queued",
    tries: entry.tries,
    createdAtMs: entry.createdAtMs,
    ...(entry.isDead ? { finishedAtMs: entry.finishedAtMs } : {}),
    ...(lastError ? { lastError: { code: lastError.code, message: lastError.message } } : {}),
  };
}
