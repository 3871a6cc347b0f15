import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { Storage } from "../ports/storage.js";
import type { FunctionRecord, Revision } from "./types.js";

/** First byte of a function's row in the node's own store. */
const ROW_PREFIX = "f";

/**
 * The functions deployed here, kept in the node's own store: what it returns is on disk, and what
 * was stored is there again after a restart.
 */
export class FunctionRegistry {
  readonly #storage: Storage;
  readonly #records = new Map<FunctionName, FunctionRecord>();

  constructor(storage: Storage) {
    this.#storage = storage;
    const end = Buffer.from(String.fromCharCode(ROW_PREFIX.charCodeAt(0) + 1));
    for (const row of storage.range({ start: Buffer.from(ROW_PREFIX), end })) {
      const record = JSON.parse(Buffer.from(row.value).toString("utf8")) as FunctionRecord;
      this.#records.set(record.name, record);
    }
  }

  list(): FunctionRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: FunctionName): FunctionRecord | undefined {
    return this.#records.get(name);
  }

  /** @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` */
  get(name: FunctionName): FunctionRecord {
    const record = this.#records.get(name);
    if (record) return record;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}" here`);
  }

  /**
   * Makes a revision the current one, and takes it up unless it is here; the oldest ones beyond the
   * limit are forgotten.
   */
  async addRevision(name: FunctionName, revision: Revision): Promise<FunctionRecord> {
    const others = this.find(name)?.revisions.filter(({ number }) => number !== revision.number);
    const revisions = [...(others ?? []), revision].sort((a, b) => a.number - b.number);
    const oldestKept = revisions.length - LIMITS.revisionsKeptMax;
    const kept = revisions.filter((each, index) => index >= oldestKept || each === revision);
    return this.#store({ name, current: revision.number, revisions: kept });
  }

  /** Number for the next revision. */
  nextNumber(name: FunctionName): number {
    return (this.find(name)?.revisions.at(-1)?.number ?? 0) + 1;
  }

  async remove(name: FunctionName): Promise<void> {
    this.#storage.transact((transaction) => transaction.delete(rowKey(name)));
    this.#records.delete(name);
    await this.#storage.sync();
  }

  /** Content hashes that some revision still needs. */
  artefactsInUse(): Set<string> {
    const inUse = new Set<string>();
    for (const record of this.#records.values()) {
      for (const revision of record.revisions) {
        inUse.add(revision.artefact);
        if (revision.origin) inUse.add(revision.origin.source);
      }
    }
    return inUse;
  }

  async #store(record: FunctionRecord): Promise<FunctionRecord> {
    const value = Buffer.from(JSON.stringify(record), "utf8");
    this.#storage.transact((transaction) => transaction.put(rowKey(record.name), value));
    await this.#storage.sync();
    this.#records.set(record.name, record);
    return record;
  }
}

/** The revision that serves. */
export function currentRevision(record: FunctionRecord): Revision {
  return revisionOf(record, record.current);
}

/** @throws EnokiError `ENOKI_REVISION_NOT_FOUND` */
export function revisionOf(record: FunctionRecord, number: number): Revision {
  const revision = record.revisions.find((candidate) => candidate.number === number);
  if (revision) return revision;
  throw new EnokiError(
    "ENOKI_REVISION_NOT_FOUND",
    `function "${record.name}" has no revision ${number}`,
  );
}

function rowKey(name: FunctionName): Buffer {
  return Buffer.from(`${ROW_PREFIX}${name}`, "utf8");
}
