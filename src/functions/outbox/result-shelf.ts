import type { FunctionName, InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Clock } from "../../ports/clock.js";
import type { InvocationSummary } from "../types.js";
import type { OutboxStore } from "./outbox-store.js";
import * as rows from "./rows.js";

/** What is held in memory of a stored result. */
interface Shelved {
  readonly store: OutboxStore;
  readonly summary: InvocationSummary;
  readonly idempotencyKey: string;
  readonly sizeBytes: number;
}

const SWEEP_INTERVAL_MS = 60_000;

/**
 * The results of finished invocations: each is kept for a day, or until its function's results
 * exceed their number or space, the oldest going first.
 */
export class ResultShelf {
  readonly #clock: Clock;
  /** Per function, oldest first. */
  readonly #shelves = new Map<string, Map<InvocationId, Shelved>>();
  readonly #byId = new Map<InvocationId, Shelved>();
  readonly #sizes = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /** Takes up the results that `store` holds. */
  open(store: OutboxStore): void {
    const found: { id: InvocationId; result: rows.StoredResult; sizeBytes: number }[] = [];
    for (const row of store.rows.range(rows.rangeOf("result"))) {
      const result = withoutBody(rows.decodeResult(row.value));
      found.push({ id: rows.idOf(row.key), result, sizeBytes: row.value.length });
    }
    // The rows are in the order of their random ids.
    found.sort((a, b) => a.result.finishedAtMs - b.result.finishedAtMs);
    for (const { id, result, sizeBytes } of found) this.add(store, id, result, sizeBytes);
  }

  /** Notes a result that is stored; older ones may be dropped for it. */
  add(store: OutboxStore, id: InvocationId, result: rows.StoredResult, sizeBytes: number): void {
    this.#remove(id);
    const shelved: Shelved = {
      store,
      summary: summaryOf(id, result),
      idempotencyKey: result.idempotencyKey,
      sizeBytes,
    };
    const shelf = this.#shelves.get(result.function) ?? new Map<InvocationId, Shelved>();
    this.#shelves.set(result.function, shelf);
    shelf.set(id, shelved);
    this.#byId.set(id, shelved);
    this.#sizes.set(result.function, (this.#sizes.get(result.function) ?? 0) + sizeBytes);
    this.#trim(result.function);
  }

  /** Reads a result from its store. */
  read(id: InvocationId): rows.StoredResult | undefined {
    const shelved = this.#byId.get(id);
    const row = shelved?.store.rows.get(rowKeyOf(shelved));
    return row && rows.decodeResult(row);
  }

  summary(id: InvocationId): InvocationSummary | undefined {
    return this.#byId.get(id)?.summary;
  }

  *summaries(): Iterable<InvocationSummary> {
    for (const shelved of this.#byId.values()) yield shelved.summary;
  }

  /** Its row is gone already. */
  forget(id: InvocationId): void {
    this.#remove(id);
  }

  dropStore(name: string): void {
    for (const [id, shelved] of this.#byId) if (shelved.store.name === name) this.#remove(id);
  }

  /** Drops what has become too old. */
  sweep(): void {
    for (const name of this.#shelves.keys()) this.#trim(name);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #trim(name: string): void {
    const oldestMs = this.#clock.nowMs() - LIMITS.resultsKeptMs;
    const shelf = this.#shelves.get(name) ?? new Map<InvocationId, Shelved>();
    for (const [id, shelved] of shelf) {
      const isTooMuch =
        shelf.size > LIMITS.resultsMax || (this.#sizes.get(name) ?? 0) > LIMITS.resultsBytesMax;
      if (!isTooMuch && (shelved.summary.finishedAtMs ?? 0) >= oldestMs) return;
      this.#remove(id);
      const writes = [rows.dropRow(rowKeyOf(shelved))];
      if (shelved.idempotencyKey !== "") {
        writes.push(rows.dropRow(rows.idempotencyRowKey(name, shelved.idempotencyKey)));
      }
      // A row that survives a failure here is found and dropped after the next start.
      shelved.store.commitLocal(() => ({ writes, value: undefined })).catch(() => {});
    }
  }

  #remove(id: InvocationId): void {
    const shelved = this.#byId.get(id);
    if (!shelved) return;
    const name = shelved.summary.function;
    this.#byId.delete(id);
    this.#shelves.get(name)?.delete(id);
    this.#sizes.set(name, (this.#sizes.get(name) ?? 0) - shelved.sizeBytes);
  }
}

function rowKeyOf({ summary }: Shelved): Buffer {
  return rows.resultKey(summary.id, summary.finishedAtMs ?? 0);
}

/** Bodies are views of memory that a store may reuse, and up to 64 MiB in all. */
function withoutBody(result: rows.StoredResult): rows.StoredResult {
  const { outcome } = result;
  if ("code" in outcome) return result;
  return { ...result, outcome: { ...outcome, body: Buffer.alloc(0) } };
}

function summaryOf(id: InvocationId, result: rows.StoredResult): InvocationSummary {
  const { outcome } = result;
  return {
    id,
    function: result.function as FunctionName,
    state: "done",
    tries: result.tries,
    createdAtMs: result.createdAtMs,
    finishedAtMs: result.finishedAtMs,
    ...("code" in outcome
      ? { lastError: { code: outcome.code, message: outcome.message } }
      : { status: outcome.status }),
  };
}
