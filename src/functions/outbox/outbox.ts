// Why so long: everybody who stores a call for later comes by here, each with a door of its own.

import { EnokiError } from "../../core/errors.js";
import { parseInvocationId, type FunctionName, type InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { SendOrigin } from "../../keygroups/asker.js";
import type { RowWrite } from "../../core/rows.js";
import type { Transaction } from "../../ports/storage.js";
import type { CallRequest, CallResponse } from "../call.js";
import type { LocalCalls } from "../calls/local-calls.js";
import type { InvocationsFacade } from "../facade.js";
import type { FunctionHost } from "../function-host.js";
import type { FreshInvocationId } from "../invocation-ids.js";
import type { DataMarks } from "../sessions.js";
import { traceFields } from "../traced-headers.js";
import type { InvocationState, InvocationSummary } from "../types.js";
import { Deliveries, type DeliveriesOptions, type Tracked } from "./deliveries.js";
import {
  entryOf,
  messagesOf,
  type BatchSend,
  type OutboxEvent,
  type OutboxMessage,
  type SentMessage,
} from "./outbox-message.js";
import type { OutboxStore } from "./outbox-store.js";
import { ReceivedCalls } from "./received-calls.js";
import { ResultShelf } from "./result-shelf.js";
import * as rows from "./rows.js";

/** Places in an order that one millisecond has room for, before the next one begins behind. */
const PLACES_PER_MS = 1024;
const DEAD_TOLD_MS = 1000;

/** What an {@link Outbox} is built from. */
export interface OutboxOptions extends Omit<DeliveriesOptions, "shelf"> {
  readonly local: LocalCalls;
  /** The keygroup whose store keeps the invocations of a function, and what it sends. */
  readonly storeOf: (name: FunctionName) => OutboxStore;
  readonly nextId: () => FreshInvocationId;
  /** Invocations of one function that may wait; the limit unless said. */
  readonly lengthMax?: number;
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
  readonly #shelf: ResultShelf;
  readonly #deliveries: Deliveries;
  /** What the outboxes of other nodes deliver. */
  readonly received: ReceivedCalls;
  /** When a dead letter of a function was last told of. */
  readonly #toldDeadMs = new Map<string, number>();
  /** Greatest place in an order that was given. */
  #sequence = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#shelf = new ResultShelf(options.clock);
    this.#deliveries = new Deliveries({ ...options, shelf: this.#shelf });
    this.received = new ReceivedCalls({ ...options, shelf: this.#shelf });
  }

  /** Takes up what the stores hold: everything unfinished is tried again. */
  open(stores: Iterable<OutboxStore>): void {
    for (const store of stores) {
      const dead: { id: InvocationId; entry: rows.StoredEntry }[] = [];
      const waiting: typeof dead = [];
      for (const row of store.rows.range(rows.rangeOf("entry"))) {
        const id = rows.idOf(row.key);
        const entry = rows.decodeEntry(row.value);
        (entry.isDead ? dead : waiting).push({ id, entry });
        this.#sequence = Math.max(this.#sequence, entry.sequence ?? 0);
      }
      this.#shelf.open(store);
      // The rows are in the order of their random ids.
      waiting.sort((a, b) => (a.entry.sequence ?? 0) - (b.entry.sequence ?? 0));
      for (const { id, entry } of waiting) this.#deliveries.add(store, id, entry);
      dead.sort((a, b) => a.entry.finishedAtMs - b.entry.finishedAtMs);
      for (const { id, entry } of dead) this.#deliveries.add(store, id, entry);
    }
  }

  /**
   * Stores an invocation and gives its id, or that of the first invocation with the same
   * idempotency key. It runs once what `session`, a token, has seen is there. @throws EnokiError `ENOKI_OUTBOX_FULL`
   */
  async enqueue(
    host: FunctionHost,
    fresh: FreshInvocationId,
    request: CallRequest,
    session = "",
  ): Promise<InvocationId> {
    const outside = { from: undefined, depth: 0, orderKey: "" } as const;
    const message = { function: host.name, request, session, ...outside };
    const store = this.#options.storeOf(host.name);
    return new Promise((resolve, reject) =>
      this.#accept(store, fresh.id, message, resolve, reject),
    );
  }

  /**
   * Stores the call that an event from outside makes, with the data of its function, and gives its id, or
   * that of the first one with the same idempotency key.
   * @throws EnokiError `ENOKI_OUTBOX_FULL`, `ENOKI_KEYGROUP_NOT_FOUND` where its data are not
   */
  async acceptEvent(event: Pick<OutboxMessage, "function" | "request">): Promise<InvocationId> {
    const store = this.#options.storeOf(event.function as FunctionName);
    const message = { ...event, from: undefined, depth: 0, orderKey: "", session: "" };
    const { id } = this.#options.nextId();
    return new Promise((resolve, reject) => this.#accept(store, id, message, resolve, reject));
  }

  /**
   * Stores what the function `from` sends, with its keygroup's durability, and gives its id, or that of
   * the first one with the same idempotency key.
   * @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND`, `ENOKI_OUTBOX_FULL`
   */
  async send(message: SentMessage): Promise<InvocationId> {
    return new Promise((resolve, reject) => this.submit(message, resolve, reject));
  }

  /** {@link send} with callbacks, for whoever answers within the turn of the commit. */
  submit(
    message: SentMessage,
    accepted: (id: InvocationId) => void,
    refused: (error: unknown) => void,
  ): void {
    this.#requireKnown(message.function);
    const { nextId, storeOf } = this.#options;
    this.#accept(storeOf(message.from), nextId().id, message, accepted, refused);
  }

  /**
   * Rows of what is sent in the same commit as other writes of `store`, and what takes it up once that
   * is acknowledged.
   * @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND`, `ENOKI_OUTBOX_FULL`
   */
  prepare(
    store: () => OutboxStore,
    messages: readonly OutboxMessage[],
  ): { readonly writes: readonly RowWrite[]; readonly committed: () => void } {
    const sentTo = new Map<string, number>();
    const prepared = messages.map((message) => {
      const name = message.function;
      this.#requireKnown(name);
      const before = sentTo.get(name) ?? 0;
      this.#refuseIfFull(name, before);
      sentTo.set(name, before + 1);
      return { id: this.#options.nextId().id, entry: this.#newEntry(message) };
    });
    return {
      writes: prepared.map(({ id, entry }) => ({
        key: rows.entryKey(id, entry.createdAtMs),
        value: rows.encodeEntry(entry),
      })),
      committed: () => {
        for (const { id, entry } of prepared) this.#deliveries.add(store(), id, entry);
      },
    };
  }

  /**
   * The same for the sends of a batch that `from` commits, on behalf of the call `origin` if there is
   * one. @throws EnokiError as {@link prepare} does, and `ENOKI_CALL_DEPTH`
   */
  prepareSends(
    store: () => OutboxStore,
    from: FunctionName,
    sends: readonly BatchSend[],
    origin: SendOrigin | undefined,
  ): { readonly writes: readonly RowWrite[]; readonly committed: () => void } {
    return this.prepare(store, messagesOf(sends, from, origin));
  }

  /**
   * The same for the calls that events make, and never a refusal: what was refused before, or finds the
   * outbox full, is stored as a dead letter.
   */
  prepareEvents(
    store: () => OutboxStore,
    events: readonly OutboxEvent[],
  ): {
    readonly ids: readonly InvocationId[];
    readonly writes: readonly RowWrite[];
    readonly committed: () => void;
  } {
    const waiting = new Map<string, number>();
    const prepared = events.map(({ refused, ...message }) => {
      const { function: name } = message;
      const before = waiting.get(name) ?? 0;
      const error = refused ?? this.#fullness(name, before);
      if (!error) waiting.set(name, before + 1);
      const entry = this.#newEntry(message);
      return {
        id: this.#options.nextId().id,
        entry: error ? rows.buriedEntry(entry, entry.createdAtMs, rows.failureOf(error)) : entry,
      };
    });
    return {
      ids: prepared.map(({ id }) => id),
      writes: prepared.map(({ id, entry }) => ({
        key: rows.entryKey(id, entry.createdAtMs),
        value: rows.encodeEntry(entry),
      })),
      committed: () => {
        for (const { id, entry } of prepared) {
          this.#deliveries.add(store(), id, entry);
          if (entry.isDead) this.#tellDead(id, entry);
        }
      },
    };
  }

  /** How many more invocations of a function may wait. */
  roomFor(name: string): number {
    return Math.max(0, this.#lengthMax - this.#deliveries.waitingOf(name));
  }

  /**
   * Calls `ended` once an invocation has ended, well or not, and that is stored; false if it is not under
   * way, because it has ended before.
   */
  whenEnded(id: string, ended: () => void): boolean {
    const tracked = this.#deliveries.get(id as InvocationId);
    if (!tracked || tracked.summary.state === "dead") return false;
    tracked.ended = ended;
    return true;
  }

  /** What a caller is told about an id. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  outcome(text: string):
    | { state: "waiting"; function: string }
    | {
        state: "done";
        function: string;
        response: CallResponse | EnokiError;
        marks: DataMarks;
      } {
    const id = parseInvocationId(text);
    const result = this.#shelf.read(id);
    if (result) {
      const { outcome, marks = {} } = result;
      const response = "code" in outcome ? rows.errorOf(outcome) : outcome;
      return { state: "done", function: result.function, response, marks };
    }
    const tracked = this.#deliveries.get(id);
    if (tracked?.summary.state === "dead") return this.#deadOutcome(tracked, id);
    if (tracked) return { state: "waiting", function: tracked.summary.function };
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `there is no invocation ${id}`);
  }

  list(filter: {
    readonly function?: FunctionName;
    readonly state?: InvocationState;
    readonly limit: number;
  }): readonly InvocationSummary[] {
    const unfinished = [...this.#deliveries.all()].map((one) => one.summary);
    const finished = [...this.#shelf.summaries()].filter(
      (one) => this.#deliveries.get(one.id) === undefined,
    );
    return [...unfinished, ...finished]
      .filter((one) => filter.function === undefined || one.function === filter.function)
      .filter((one) => filter.state === undefined || one.state === filter.state)
      .sort((a, b) => b.createdAtMs - a.createdAtMs)
      .slice(0, filter.limit);
  }

  show(id: InvocationId): InvocationSummary {
    const summary = this.#deliveries.get(id)?.summary ?? this.#shelf.summary(id);
    if (summary) return summary;
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `there is no invocation ${id}`);
  }

  async replay(id: InvocationId): Promise<InvocationSummary> {
    const store = this.#storeOfDead(id);
    const again = await store.commitLocal((transaction) => {
      const entry = this.#deadLetter(transaction, id);
      const nowMs = this.#options.clock.nowMs();
      const value = {
        ...entry,
        isDead: false,
        tries: 0,
        notBeforeMs: nowMs,
        lastError: undefined,
      };
      const writes = [
        { key: rows.entryKey(id, value.createdAtMs), value: rows.encodeEntry(value) },
        rows.dropRow(rows.resultKey(id, entry.finishedAtMs)),
      ];
      return { writes, value };
    });
    this.#shelf.forget(id);
    this.#deliveries.add(store, id, again);
    return this.show(id);
  }

  async forget(id: InvocationId): Promise<void> {
    await this.#storeOfDead(id).commitLocal((transaction) => {
      const writes = rows.deadLetterDrops(id, this.#deadLetter(transaction, id));
      return { writes, value: undefined };
    });
    this.#deliveries.forget(id);
    this.#shelf.forget(id);
  }

  /** A keygroup was dropped, and its invocations with it. */
  dropStore(name: string): void {
    this.#deliveries.dropStore(name);
    this.#shelf.dropStore(name);
  }

  /** Tries nothing more; what runs may still end and be recorded. */
  stop(): void {
    this.#deliveries.stop();
    this.#shelf.stop();
  }

  #accept(
    store: OutboxStore,
    fresh: InvocationId,
    message: OutboxMessage,
    accepted: (id: InvocationId) => void,
    refused: (error: unknown) => void,
  ): void {
    let entry: rows.StoredEntry | undefined;
    store.submitLocal(
      (transaction) => {
        // In the order of commits, as that of batches.
        entry = this.#newEntry(message);
        return this.#storeNew(transaction, fresh, entry);
      },
      (id) => {
        accepted(id);
        if (entry && id === fresh) this.#deliveries.add(store, id, entry);
      },
      refused,
    );
  }

  #newEntry(message: OutboxMessage): rows.StoredEntry {
    const nowMs = this.#options.clock.nowMs();
    const place = message.orderKey === "" ? undefined : this.#nextPlace(nowMs);
    return entryOf(message, nowMs, place);
  }

  /** Rises with each, also over a restart with a clock that was put back. */
  #nextPlace(nowMs: number): number {
    this.#sequence = Math.max(this.#sequence + 1, nowMs * PLACES_PER_MS);
    return this.#sequence;
  }

  /** @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` if it runs nowhere that is known here */
  #requireKnown(name: string): void {
    if (this.#options.calls.reach(name) !== "nowhere") return;
    const shown = JSON.stringify(name.slice(0, 63));
    const detail = `no node that is known here runs ${shown}, to send to it`;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", detail);
  }

  #storeNew(
    transaction: Transaction,
    id: InvocationId,
    entry: rows.StoredEntry,
  ): { writes: RowWrite[]; value: InvocationId } {
    const key = rows.entryKey(id, entry.createdAtMs);
    const writes: RowWrite[] = [{ key, value: rows.encodeEntry(entry) }];
    const { idempotencyKey } = entry.request;
    if (idempotencyKey !== "") {
      const key = rows.idempotencyRowKey(entry.function, idempotencyKey);
      const first = transaction.get(key);
      if (first) return { writes: [], value: Buffer.from(first).toString("hex") as InvocationId };
      writes.push({ key, value: Buffer.from(id, "hex") });
    }
    this.#refuseIfFull(entry.function, 0);
    return { writes, value: id };
  }

  /** @throws EnokiError when no invocation fits beside those that wait and `more` */
  #refuseIfFull(name: string, more: number): void {
    const full = this.#fullness(name, more);
    if (full) throw full;
  }

  #fullness(name: string, more: number): EnokiError | undefined {
    if (this.roomFor(name) > more) return undefined;
    const detail = `${this.#lengthMax} invocations of ${name} are waiting`;
    return new EnokiError("ENOKI_OUTBOX_FULL", detail);
  }

  get #lengthMax(): number {
    return this.#options.lengthMax ?? LIMITS.outboxLengthMax;
  }

  /** Once a second per function at most: they come in floods. */
  #tellDead(id: InvocationId, { function: name, lastError, request }: rows.StoredEntry): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - (this.#toldDeadMs.get(name) ?? -Infinity) < DEAD_TOLD_MS) return;
    this.#toldDeadMs.set(name, nowMs);
    const trace = traceFields(request.headers);
    const detail = { function: name, id, code: lastError?.code, ...trace };
    // Without the message, which is the function's and may tell of its input.
    this.#options.logger.warn(detail, "an event became a dead letter: see `enoki invocations`");
  }

  #deadOutcome(
    tracked: Tracked,
    id: InvocationId,
  ): { state: "done"; function: string; response: EnokiError; marks: DataMarks } {
    const row = tracked.store.rows.get(rows.entryKey(id, tracked.summary.createdAtMs));
    const failure = row && rows.decodeEntry(row).lastError;
    if (failure) {
      const { function: name } = tracked.summary;
      return { state: "done", function: name, response: rows.errorOf(failure), marks: {} };
    }
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `the result of ${id} is no longer kept`);
  }

  #storeOfDead(id: InvocationId): OutboxStore {
    const tracked = this.#deliveries.get(id);
    if (tracked?.summary.state === "dead") return tracked.store;
    throw noDeadLetter(id);
  }

  /** Reads within the transaction that decides on it: somebody else may have replayed or forgotten it by then. */
  #deadLetter(transaction: Pick<Transaction, "get">, id: InvocationId): rows.StoredEntry {
    const tracked = this.#deliveries.get(id);
    const row = tracked && transaction.get(rows.entryKey(id, tracked.summary.createdAtMs));
    const entry = row && rows.decodeEntry(row);
    if (entry?.isDead) return entry;
    throw noDeadLetter(id);
  }
}

function noDeadLetter(id: InvocationId): EnokiError {
  return new EnokiError("ENOKI_INVOCATION_NOT_FOUND", `${id} is no dead letter`);
}
