import { EnokiError } from "../../core/errors.js";
import { parseInvocationId, type FunctionName, type InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { RowWrite } from "../../core/rows.js";
import { TAG, type TypedValue } from "../../core/value.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Transaction } from "../../ports/storage.js";
import type { CallRequest, CallResponse } from "../call.js";
import type { InvocationsFacade } from "../facade.js";
import type { FunctionHost } from "../function-host.js";
import type { FreshInvocationId } from "../invocation-ids.js";
import type { InvocationState, InvocationSummary } from "../types.js";
import { DueQueue } from "./due-queue.js";
import type { OutboxStore } from "./outbox-store.js";
import { ResultShelf } from "./result-shelf.js";
import { isPostponed, isRetried, retryPauseMs } from "./retry.js";
import * as rows from "./rows.js";

/** What an {@link Outbox} is built from. */
export interface OutboxOptions {
  readonly find: (name: string) => FunctionHost | undefined;
  /** The keygroup whose store keeps the invocations of a function. */
  readonly storeOf: (name: FunctionName) => OutboxStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly nextId: () => FreshInvocationId;
}

/** Calls of one function that the outbox keeps running at once. */
const RUNNING_MAX = 64;
/** Pause after a call that found the queue full or the node draining. */
const POSTPONE_MS = 100;
/** Pause after an end that could not be stored, on a full disk for one. */
const UNSTORED_PAUSE_MS = 1000;

/** What is held in memory of an invocation that has not ended well. */
interface Tracked {
  readonly store: OutboxStore;
  summary: InvocationSummary;
}

/**
 * Asynchronous invocations: stored before they are accepted, tried until they succeed or have
 * failed too often, and kept with their results for a day.
 *
 * Delivery is at least once: a node that dies between a call and the commit of its result calls
 * again, with the same id and idempotency key.
 */
export class Outbox implements InvocationsFacade {
  readonly #options: OutboxOptions;
  readonly #tracked = new Map<InvocationId, Tracked>();
  readonly #queues = new Map<string, DueQueue>();
  readonly #shelf: ResultShelf;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  #isStopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#shelf = new ResultShelf(options.clock);
  }

  /** Takes up what the stores hold: everything unfinished is tried again. */
  open(stores: Iterable<OutboxStore>): void {
    for (const store of stores) {
      for (const row of store.rows.range(rows.rangeOf("entry"))) {
        this.track(store, rows.idOf(row.key), rows.decodeEntry(row.value));
      }
      this.#shelf.open(store);
    }
  }

  /**
   * Stores an invocation and gives its id, or that of the first invocation with the same
   * idempotency key. @throws EnokiError `ENOKI_OUTBOX_FULL`
   */
  async enqueue(
    host: FunctionHost,
    fresh: FreshInvocationId,
    request: CallRequest,
  ): Promise<InvocationId> {
    const store = this.#options.storeOf(host.name);
    const entry = this.#newEntry(host.name, request);
    const id = await store.commitLocal((transaction) => {
      const { writes, value } = this.#storeNew(transaction, fresh.id, entry);
      return { writes, value };
    });
    if (id === fresh.id) this.track(store, id, entry);
    return id;
  }

  /**
   * Rows of invocations that are sent in the same commit as other writes of `store`, and what takes
   * them up once it is acknowledged. @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND`
   */
  prepareSends(
    store: () => OutboxStore,
    sends: readonly { readonly function: string; readonly data: TypedValue }[],
  ): { readonly writes: readonly RowWrite[]; readonly committed: () => void } {
    const prepared = sends.map((send) => {
      const host = this.#options.find(send.function);
      if (!host) {
        const name = send.function.slice(0, 63);
        throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}" to send to`);
      }
      const entry = this.#newEntry(host.name, requestOf(send.data));
      return { id: this.#options.nextId().id, entry };
    });
    return {
      writes: prepared.map(({ id, entry }) => ({
        key: rows.entryKey(id),
        value: rows.encodeEntry(entry),
      })),
      committed: () => {
        for (const { id, entry } of prepared) this.track(store(), id, entry);
      },
    };
  }

  /** Begins to try a stored invocation. */
  track(store: OutboxStore, id: InvocationId, entry: rows.StoredEntry): void {
    const summary = summaryOf(id, entry);
    this.#tracked.set(id, { store, summary });
    if (entry.isDead) return;
    this.#count(this.#waiting, entry.function, 1);
    this.#queue(entry.function).add(id, entry.notBeforeMs);
  }

  /** What a caller is told about an id. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  outcome(
    text: string,
  ): { state: "waiting" } | { state: "done"; response: CallResponse | EnokiError } {
    const id = parseInvocationId(text);
    const result = this.#shelf.read(id);
    if (result) {
      const { outcome } = result;
      return { state: "done", response: "code" in outcome ? rows.errorOf(outcome) : outcome };
    }
    const tracked = this.#tracked.get(id);
    if (tracked?.summary.state === "dead") return this.#deadOutcome(tracked, id);
    if (tracked) return { state: "waiting" };
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `there is no invocation ${id}`);
  }

  list(filter: {
    readonly function?: FunctionName;
    readonly state?: InvocationState;
    readonly limit: number;
  }): readonly InvocationSummary[] {
    const unfinished = [...this.#tracked.values()].map((one) => one.summary);
    const finished = [...this.#shelf.summaries()].filter((one) => !this.#tracked.has(one.id));
    return [...unfinished, ...finished]
      .filter((one) => filter.function === undefined || one.function === filter.function)
      .filter((one) => filter.state === undefined || one.state === filter.state)
      .sort((a, b) => b.createdAtMs - a.createdAtMs)
      .slice(0, filter.limit);
  }

  show(id: InvocationId): InvocationSummary {
    const summary = this.#tracked.get(id)?.summary ?? this.#shelf.summary(id);
    if (summary) return summary;
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `there is no invocation ${id}`);
  }

  async replay(id: InvocationId): Promise<InvocationSummary> {
    const { store, entry } = this.#deadLetter(id);
    const again = {
      ...entry,
      isDead: false,
      tries: 0,
      notBeforeMs: this.#options.clock.nowMs(),
      lastError: undefined,
    };
    await store.commitLocal(() => ({
      writes: [
        { key: rows.entryKey(id), value: rows.encodeEntry(again) },
        rows.dropRow(rows.resultKey(id)),
      ],
      value: undefined,
    }));
    this.#shelf.forget(id);
    this.track(store, id, again);
    return this.show(id);
  }

  async forget(id: InvocationId): Promise<void> {
    const { store, entry } = this.#deadLetter(id);
    const writes = [rows.dropRow(rows.entryKey(id)), rows.dropRow(rows.resultKey(id))];
    const { idempotencyKey } = entry.request;
    if (idempotencyKey !== "") {
      writes.push(rows.dropRow(rows.idempotencyRowKey(entry.function, idempotencyKey)));
    }
    await store.commitLocal(() => ({ writes, value: undefined }));
    this.#tracked.delete(id);
    this.#shelf.forget(id);
  }

  /** A keygroup was dropped, and its invocations with it. */
  dropStore(name: string): void {
    for (const [id, tracked] of this.#tracked) {
      if (tracked.store.name !== name) continue;
      if (tracked.summary.state !== "dead") this.#count(this.#waiting, tracked.summary.function, -1);
      this.#tracked.delete(id);
    }
    this.#shelf.dropStore(name);
  }

  /** Tries nothing more; what runs may still end and be recorded. */
  stop(): void {
    this.#isStopped = true;
    for (const queue of this.#queues.values()) queue.stop();
    this.#shelf.stop();
  }

  #newEntry(name: FunctionName, request: CallRequest): rows.StoredEntry {
    const nowMs = this.#options.clock.nowMs();
    return {
      function: name,
      request,
      createdAtMs: nowMs,
      tries: 0,
      notBeforeMs: nowMs,
      isDead: false,
      finishedAtMs: 0,
      lastError: undefined,
    };
  }

  #storeNew(
    transaction: Transaction,
    id: InvocationId,
    entry: rows.StoredEntry,
  ): { writes: RowWrite[]; value: InvocationId } {
    const writes: RowWrite[] = [{ key: rows.entryKey(id), value: rows.encodeEntry(entry) }];
    const { idempotencyKey } = entry.request;
    if (idempotencyKey !== "") {
      const key = rows.idempotencyRowKey(entry.function, idempotencyKey);
      const first = transaction.get(key);
      if (first) return { writes: [], value: Buffer.from(first).toString("hex") as InvocationId };
      writes.push({ key, value: Buffer.from(id, "hex") });
    }
    if ((this.#waiting.get(entry.function) ?? 0) >= LIMITS.outboxLengthMax) {
      throw new EnokiError("ENOKI_OUTBOX_FULL", `${LIMITS.outboxLengthMax} invocations are waiting`);
    }
    return { writes, value: id };
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
    const row = tracked?.store.rows.get(rows.entryKey(id));
    if (!tracked || !row) return;
    const entry = rows.decodeEntry(row);
    this.#count(this.#running, entry.function, 1);
    tracked.summary = { ...tracked.summary, state: "running" };
    const settled = (outcome: CallResponse | EnokiError): void => {
      this.#settled(tracked, id, entry, outcome).catch((error: unknown) => {
        this.#options.logger.error({ error: String(error), id }, "a result could not be stored");
        // Delivery is at least once: without a stored end it is as if the call had not been made.
        this.#again(tracked, id, entry, UNSTORED_PAUSE_MS);
      });
    };
    const host = this.#options.find(entry.function);
    if (!host) {
      settled(new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${entry.function}" here`));
      return;
    }
    const { request } = entry;
    host.submit({
      id,
      idBytes: Buffer.from(id, "hex"),
      // The same on every try: a function can tell that it has seen the call before.
      request: { ...request, idempotencyKey: request.idempotencyKey || id },
      timeoutMs: undefined,
      settled,
    });
  }

  async #settled(
    tracked: Tracked,
    id: InvocationId,
    entry: rows.StoredEntry,
    outcome: CallResponse | EnokiError,
  ): Promise<void> {
    try {
      if (isPostponed(outcome) || this.#isCutOff(outcome)) this.#again(tracked, id, entry, POSTPONE_MS);
      else if (outcome instanceof EnokiError && outcome.code === "ENOKI_FUNCTION_NOT_FOUND") {
        await this.#finish(tracked, id, { ...entry, tries: entry.tries + 1 }, outcome, true);
      } else if (!isRetried(outcome)) {
        await this.#finish(tracked, id, { ...entry, tries: entry.tries + 1 }, outcome, false);
      } else await this.#failed(tracked, id, { ...entry, tries: entry.tries + 1 }, outcome);
    } finally {
      this.#count(this.#running, entry.function, -1);
      this.#pump(entry.function);
    }
  }

  /** What a stopping node cuts off says nothing about the function, so it is no try. */
  #isCutOff(outcome: CallResponse | EnokiError): boolean {
    return this.#isStopped && outcome instanceof EnokiError && outcome.code === "ENOKI_INSTANCE_DIED";
  }

  async #failed(
    tracked: Tracked,
    id: InvocationId,
    tried: rows.StoredEntry,
    outcome: CallResponse | EnokiError,
  ): Promise<void> {
    if (tried.tries >= LIMITS.asyncTriesMax) {
      await this.#finish(tracked, id, tried, outcome, true);
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
    tracked.summary = summaryOf(id, entry);
    this.#queue(entry.function).add(id, this.#options.clock.nowMs() + pauseMs);
  }

  /** Records the end: the result, and the request too if it is now a dead letter. */
  async #finish(
    tracked: Tracked,
    id: InvocationId,
    tried: rows.StoredEntry,
    outcome: CallResponse | EnokiError,
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
    this.#count(this.#waiting, tried.function, -1);
    if (isDead) tracked.summary = summaryOf(id, dead);
    else this.#tracked.delete(id);
    this.#shelf.add(store, id, result, encoded.length);
  }

  #deadOutcome(
    tracked: Tracked,
    id: InvocationId,
  ): { state: "done"; response: CallResponse | EnokiError } {
    const row = tracked.store.rows.get(rows.entryKey(id));
    const failure = row && rows.decodeEntry(row).lastError;
    if (failure) return { state: "done", response: rows.errorOf(failure) };
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `the result of ${id} is no longer kept`);
  }

  #deadLetter(id: InvocationId): { store: OutboxStore; entry: rows.StoredEntry } {
    const tracked = this.#tracked.get(id);
    const row = tracked?.store.rows.get(rows.entryKey(id));
    if (tracked && row && tracked.summary.state === "dead") {
      return { store: tracked.store, entry: rows.decodeEntry(row) };
    }
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `${id} is no dead letter`);
  }

  #count(counts: Map<string, number>, name: string, change: number): void {
    counts.set(name, Math.max(0, (counts.get(name) ?? 0) + change));
  }
}

/** The call that a send makes: a POST of its data. */
function requestOf(data: TypedValue): CallRequest {
  return {
    method: "POST",
    path: "",
    query: "",
    contentType: CONTENT_TYPES[data.tag] ?? "application/octet-stream",
    idempotencyKey: "",
    headers: "",
    body: data.bytes.length === 0 ? undefined : Buffer.from(data.bytes),
  };
}

const CONTENT_TYPES: Readonly<Record<number, string>> = {
  [TAG.str]: "text/plain; charset=utf-8",
  [TAG.json]: "application/json",
};

function lastErrorOf(outcome: CallResponse | EnokiError): rows.StoredFailure {
  if (outcome instanceof EnokiError) return rows.failureOf(outcome);
  return { code: "ENOKI_FUNCTION_ERROR", message: `the function answered ${outcome.status}`, extra: {} };
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
