// Why so long: the tries of an invocation, from the queue to its stored end, share one bookkeeping.

import { EnokiError } from "../../core/errors.js";
import type { FunctionName, InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Session } from "../../core/session.js";
import type { Call, CallResponse } from "../call.js";
import type { FunctionHost } from "../function-host.js";
import type { DataMarks, FunctionSessions } from "../sessions.js";
import type { InvocationSummary } from "../types.js";
import { DeadLetters } from "./dead-letters.js";
import { DueQueue } from "./due-queue.js";
import type { OutboxStore } from "./outbox-store.js";
import type { ResultShelf } from "./result-shelf.js";
import { isPostponed, isRetried, retryPauseMs } from "./retry.js";
import * as rows from "./rows.js";

/** What {@link Deliveries} are made from. */
export interface DeliveriesOptions {
  readonly find: (name: string) => FunctionHost | undefined;
  readonly shelf: ResultShelf;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly sessions: FunctionSessions;
}

/** Calls of one function that the outbox keeps running at once. */
const RUNNING_MAX = 64;
/** Pause after a call that found the queue full or the node draining. */
const POSTPONE_MS = 100;
/** Pause after an end that could not be stored, on a full disk for one. */
const UNSTORED_PAUSE_MS = 1000;

/** Pause after an invocation that could not be read from its store. */
const UNREADABLE_PAUSE_MS = 1000;

/** What is held in memory of an invocation that has not ended well. */
export interface Tracked {
  readonly store: OutboxStore;
  summary: InvocationSummary;
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
  #isStopped = false;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#shelf = options.shelf;
  }

  /** Takes up a stored invocation; a dead letter is only kept. */
  add(store: OutboxStore, id: InvocationId, entry: rows.StoredEntry): void {
    const summary = summaryOf(id, entry);
    this.#tracked.set(id, { store, summary });
    if (entry.isDead) {
      this.#buried(entry.function, id);
      return;
    }
    this.#dead.remove(entry.function, id);
    this.#count(this.#waiting, entry.function, 1);
    this.#queue(entry.function).add(id, entry.notBeforeMs);
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
    for (const [id, { store, summary }] of this.#tracked) {
      if (store.name !== name) continue;
      if (summary.state !== "dead") this.#count(this.#waiting, summary.function, -1);
      this.forget(id);
    }
  }

  /** Tries nothing more; what runs may still end and be recorded. */
  stop(): void {
    this.#isStopped = true;
    for (const queue of this.#queues.values()) queue.stop();
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
      const id = queue.takeDue();
      if (id === undefined) return;
      this.#try(id);
    }
  }

  #try(id: InvocationId): void {
    const tracked = this.#tracked.get(id);
    const entry = tracked && this.#read(tracked, id);
    if (!entry) return;
    this.#count(this.#running, entry.function, 1);
    tracked.summary = { ...tracked.summary, state: "running" };
    const settled = (outcome: CallResponse | EnokiError, marks: DataMarks = {}): void => {
      this.#settled(tracked, id, entry, outcome, marks).catch((error: unknown) => {
        this.#options.logger.error({ error: String(error), id }, "a result could not be stored");
        // Delivery is at least once: without a stored end it is as if the call had not been made.
        this.#again(tracked, id, entry, UNSTORED_PAUSE_MS);
      });
    };
    const host = this.#options.find(entry.function);
    if (!host) {
      settled(
        new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${entry.function}" here`),
      );
      return;
    }
    this.#submit(host, id, entry, settled);
  }

  /** Calls the function once what the caller had seen is there. */
  #submit(
    host: FunctionHost,
    id: InvocationId,
    { request, session: token }: rows.StoredEntry,
    settled: (outcome: CallResponse | EnokiError, marks?: DataMarks) => void,
  ): void {
    const { sessions } = this.#options;
    const submit = (session: Session | undefined, isElsewhere: boolean): void => {
      host.submit({
        id,
        idBytes: Buffer.from(id, "hex"),
        // The same on every try: a function can tell that it has seen the call before.
        request: { ...request, idempotencyKey: request.idempotencyKey || id },
        timeoutMs: undefined,
        session,
        isElsewhere,
        settled: (outcome, call) => settled(outcome, marksOf(sessions, host, call)),
      });
    };
    if (token === undefined) {
      submit(undefined, false);
      return;
    }
    try {
      const session = sessions.read(token);
      const entered = sessions.enter(host.name, session, undefined) ?? Promise.resolve(false);
      entered.then((isElsewhere) => submit(session, isElsewhere)).catch(settled);
    } catch (error) {
      settled(error as EnokiError);
    }
  }

  /** The stored invocation; one that cannot be read now is put off. */
  #read({ store, summary }: Tracked, id: InvocationId): rows.StoredEntry | undefined {
    try {
      const row = store.rows.get(rows.entryKey(id));
      return row && rows.decodeEntry(row);
    } catch (error) {
      this.#options.logger.error({ error: String(error), id }, "an invocation could not be read");
      const atMs = this.#options.clock.nowMs() + UNREADABLE_PAUSE_MS;
      this.#queue(summary.function).add(id, atMs);
      return undefined;
    }
  }

  async #settled(
    tracked: Tracked,
    id: InvocationId,
    entry: rows.StoredEntry,
    outcome: CallResponse | EnokiError,
    marks: DataMarks,
  ): Promise<void> {
    try {
      if (!this.#isTracked(tracked, id)) return;
      if (isPostponed(outcome) || this.#isCutOff(outcome)) {
        this.#again(tracked, id, entry, POSTPONE_MS);
        return;
      }
      const tried = { ...entry, tries: entry.tries + 1 };
      const isGone = outcome instanceof EnokiError && outcome.code === "ENOKI_FUNCTION_NOT_FOUND";
      if (isGone || !isRetried(outcome)) {
        await this.#finish(tracked, id, tried, outcome, marks, isGone);
      } else await this.#failed(tracked, id, tried, outcome, marks);
    } finally {
      this.#count(this.#running, entry.function, -1);
      this.#pump(entry.function);
    }
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
    outcome: CallResponse | EnokiError,
    marks: DataMarks,
  ): Promise<void> {
    if (tried.tries >= LIMITS.asyncTriesMax) {
      await this.#finish(tracked, id, tried, outcome, marks, true);
      return;
    }
    const pauseMs = retryPauseMs(tried.tries, this.#options.random());
    const next = {
      ...tried,
      notBeforeMs: this.#options.clock.nowMs() + pauseMs,
      lastError: lastErrorOf(outcome),
    };
    await tracked.store.commitLocal(() => ({
      writes: [{ key: rows.entryKey(id), value: rows.encodeEntry(next) }],
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
    outcome: CallResponse | EnokiError,
    marks: DataMarks,
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
      outcome: outcome instanceof EnokiError ? rows.failureOf(outcome) : outcome,
      marks,
    };
    const dead = { ...tried, isDead: true, finishedAtMs, lastError: lastErrorOf(outcome) };
    const encoded = rows.encodeResult(result);
    await store.commitLocal(() => ({
      writes: [
        isDead
          ? { key: rows.entryKey(id), value: rows.encodeEntry(dead) }
          : rows.dropRow(rows.entryKey(id)),
        { key: rows.resultKey(id), value: encoded },
      ],
      value: undefined,
    }));
    if (!this.#isTracked(tracked, id)) return;
    this.#count(this.#waiting, tried.function, -1);
    if (isDead) tracked.summary = summaryOf(id, dead);
    else this.#tracked.delete(id);
    this.#shelf.add(store, id, result, encoded.length);
    if (isDead) this.#buried(tried.function, id);
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
    this.#dropRows(dropped.store, oldest).catch((error: unknown) =>
      // Rows that survive a failure here are found and dropped after the next start.
      logger.warn({ error: String(error), id: oldest }, "a dead letter could not be deleted"),
    );
  }

  async #dropRows(store: OutboxStore, id: InvocationId): Promise<void> {
    const row = store.rows.get(rows.entryKey(id));
    if (!row) return;
    const writes = rows.deadLetterDrops(id, rows.decodeEntry(row));
    await store.commitLocal(() => ({ writes, value: undefined }));
  }

  /** False once its keygroup was dropped: its end concerns nobody any more. */
  #isTracked(tracked: Tracked, id: InvocationId): boolean {
    return this.#tracked.get(id) === tracked;
  }

  #count(counts: Map<string, number>, name: string, change: number): void {
    counts.set(name, Math.max(0, (counts.get(name) ?? 0) + change));
  }
}

/** What is said of the data with a result; a session that no token holds is left out. */
function marksOf(sessions: FunctionSessions, host: FunctionHost, call: Call): DataMarks {
  try {
    return sessions.marks(host.name, call);
  } catch (error) {
    if (error instanceof EnokiError) return {};
    throw error;
  }
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
