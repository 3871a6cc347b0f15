import { Sequences } from "../base/sequences.js";
import {
  isOutcomeUnknown,
  type Naming,
  namingOutcomeUnknown,
  namingUnavailable,
} from "../ports/naming.js";
import type { Timers } from "../ports/timers.js";
import {
  type AnyRecord,
  decodeRecord,
  encodeRecord,
  isLasting,
  keyOf,
  type LastingRecord,
  type RecordsByKind,
} from "./record-codec.js";
import { isNewer } from "./view.js";

/** What changes are made with. */
export interface RecordChangesOptions {
  readonly naming: Naming;
  readonly timers: Timers;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** What this node knows of a record. */
  readonly known: (key: string) => AnyRecord | undefined;
  /** Resolves once this node has taken over a record. */
  readonly adopt: (record: LastingRecord) => Promise<void>;
}

/**
 * Makes the next state of a record, or returns the one given if nothing is to change. Runs again after
 * a conflict; `isRepeat` says that an earlier run may have taken effect.
 */
export type Decide<R> = (before: R | undefined, isRepeat: boolean) => R;

const TRIES_MAX = 40;
const PAUSE_MS_MAX = 250;

/** Changes single records by optimistic transactions: read, decide, write if nobody else did. */
export class RecordChanges {
  readonly #options: RecordChangesOptions;
  /** Changes of one record by this node come one after another: it never competes with itself. */
  readonly #sequences = new Sequences();

  constructor(options: RecordChangesOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the record that holds now, once this node has adopted it.
   * @throws EnokiError `ENOKI_NAMING_UNAVAILABLE`, `ENOKI_NAMING_RECORD`, and what `decide` throws
   */
  async change<K extends LastingRecord["kind"]>(
    kind: K,
    key: string,
    decide: Decide<RecordsByKind[K]>,
  ): Promise<RecordsByKind[K]> {
    const done = await this.#sequences.run(key, async () =>
      this.#tryUntilDone(key, (before, isRepeat) => {
        const record = decide(before?.record as RecordsByKind[K] | undefined, isRepeat);
        return { kind, record } as unknown as LastingRecord;
      }),
    );
    return done.record as RecordsByKind[K];
  }

  /** Writes what this node knows of a record, if naming has lost it or knows an earlier state. */
  async restore(key: string): Promise<void> {
    const seen = asLasting(this.#options.known(key));
    if (seen === undefined) return;
    await this.#sequences.run(key, async () => this.#tryUntilDone(key, (before) => before ?? seen));
  }

  async #tryUntilDone(
    key: string,
    decide: (before: LastingRecord | undefined, isRepeat: boolean) => LastingRecord,
  ): Promise<LastingRecord> {
    let isRepeat = false;
    try {
      for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
        if (attempt > 0) await this.#pause(attempt);
        try {
          const record = await this.#tryOnce(key, (before) => decide(before, isRepeat));
          if (record === undefined) continue;
          await this.#options.adopt(record);
          return record;
        } catch (error) {
          if (!isOutcomeUnknown(error)) throw error;
          isRepeat = true;
        }
      }
    } catch (error) {
      // An earlier try may have done it, and we cannot look.
      if (isRepeat && isUnavailable(error)) throw namingOutcomeUnknown((error as Error).message);
      throw error;
    }
    const detail = `others changed ${key} at the same time, ${TRIES_MAX} times in a row`;
    throw isRepeat ? namingOutcomeUnknown(detail) : namingUnavailable(detail);
  }

  /** `undefined` if somebody else was faster. */
  async #tryOnce(
    key: string,
    decide: (before: LastingRecord | undefined) => LastingRecord,
  ): Promise<LastingRecord | undefined> {
    const { naming, known } = this.#options;
    const entry = (await naming.read(key)).find((candidate) => candidate.key === key);
    const stored = entry === undefined ? undefined : asLasting(decodeRecord(key, entry.value));
    // why: if naming has lost what this node knows (a backup, an empty disk), the change is made on
    // the newer of the two, so that epochs and generations go on instead of coming twice.
    const seen = asLasting(known(key));
    const before = seen !== undefined && isNewer(seen, stored) ? seen : stored;
    const next = decide(before);
    const isSame = before !== undefined && isEqual(next, before);
    if (isSame && before === stored) return stored;
    const record = isSame ? before : withSerial(next, (before?.record.serial ?? 0) + 1);
    const isDone = await naming.transact(
      [{ key, revision: entry?.revision ?? 0 }],
      [{ key: keyOf(record), value: encodeRecord(record) }],
    );
    return isDone ? record : undefined;
  }

  async #pause(attempt: number): Promise<void> {
    const { timers, random } = this.#options;
    const pauseMs = Math.min(5 * 2 ** attempt, PAUSE_MS_MAX) * random();
    await new Promise<void>((resolve) => {
      timers.after(pauseMs, resolve);
    });
  }
}

function asLasting(any: AnyRecord | undefined): LastingRecord | undefined {
  return any && isLasting(any) ? any : undefined;
}

function withSerial(any: LastingRecord, serial: number): LastingRecord {
  return { ...any, record: { ...any.record, serial } } as LastingRecord;
}

function isEqual(left: AnyRecord, right: AnyRecord): boolean {
  return left === right || encodeRecord(left) === encodeRecord(right);
}

function isUnavailable(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ENOKI_NAMING_UNAVAILABLE";
}
