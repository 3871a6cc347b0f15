import type { Dot } from "../../core/dot.js";
import { LIMITS } from "../../core/limits.js";
import type { RowReader, RowWrite } from "../../core/rows.js";
import type { TypedValue } from "../../core/value.js";
import * as rows from "./pending-rows.js";

/** Where places begin, so that there is room before them for what is found to have been missed. */
const FIRST_PLACE = 2 ** 40;

/** What was noted of a key. */
export interface NotedChange {
  readonly key: string;
  readonly before: TypedValue | undefined;
  readonly dots: readonly Dot[];
}

/**
 * The changes of one keygroup that wait at this replica for one trigger, in the order in which they took
 * effect here. A key waits once, in the place of its newest change: what came between is superseded,
 * and `old` stays what was there before the first of them. What was sent waits on for its end.
 */
export class PendingQueue {
  readonly id: string;
  #lastPlace: number | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** The place behind all that wait. */
  nextPlace(reader: RowReader): number {
    if (this.#lastPlace === undefined) {
      const [last] = reader.range({ ...rows.changesFrom(this.id, 0), reverse: true, limit: 1 });
      this.#lastPlace = Math.max(FIRST_PLACE, last ? rows.placeOf(last.key) : 0);
    }
    return this.#lastPlace + 1;
  }

  /** The place of the first that waits; `undefined` = nothing does. */
  firstPlace(reader: RowReader): number | undefined {
    const [first] = reader.range({ ...rows.changesFrom(this.id, 0), limit: 1 });
    return first && rows.placeOf(first.key);
  }

  /** Rows that put a change last. */
  add(reader: RowReader, { key, before, dots }: NotedChange): RowWrite[] {
    const writes: RowWrite[] = [];
    const waiting = this.#waiting(reader, key);
    let old = before;
    let isOldLeftOut = false;
    if (waiting && waiting.change.sent === undefined) {
      ({ old, isOldLeftOut } = waiting.change);
      writes.push({ key: rows.changeRowKey(this.id, waiting.place), value: undefined });
    }
    if ((old?.bytes.length ?? 0) > LIMITS.triggerEventBytesMax) {
      old = undefined;
      isOldLeftOut = true;
    }
    const place = this.nextPlace(reader);
    this.#lastPlace = place;
    return [...writes, ...this.#rowsOf(place, { key, old, isOldLeftOut, dots, sent: undefined })];
  }

  /** Rows that put a change at a place where nothing is; none if the key waits already. */
  addMissed(reader: RowReader, place: number, key: string, dots: readonly Dot[]): RowWrite[] {
    if (this.#waiting(reader, key)) return [];
    return this.#rowsOf(place, { key, old: undefined, isOldLeftOut: false, dots, sent: undefined });
  }

  /** Up to `limit` changes from a place on. */
  from(
    reader: RowReader,
    place: number,
    limit: number,
  ): { readonly place: number; readonly change: rows.PendingChange }[] {
    const found = reader.range({ ...rows.changesFrom(this.id, place), limit });
    return found.map((row) => ({
      place: rows.placeOf(row.key),
      change: rows.decodePending(row.value),
    }));
  }

  /** Rows that note that a change was sent. */
  sent(place: number, change: rows.PendingChange, invocation: string): RowWrite {
    const value = rows.encodePending({ ...change, sent: invocation });
    return { key: rows.changeRowKey(this.id, place), value };
  }

  /** Rows that take a change out, which has been handled. */
  remove(reader: RowReader, place: number): RowWrite[] {
    const rowKey = rows.changeRowKey(this.id, place);
    const row = reader.get(rowKey);
    if (!row) return [];
    const keyRowKey = rows.keyRowKey(this.id, rows.decodePending(row).key);
    const newest = reader.get(keyRowKey);
    const isNewest = newest !== undefined && rows.decodePlace(newest) === place;
    const writes: RowWrite[] = [{ key: rowKey, value: undefined }];
    if (isNewest) writes.push({ key: keyRowKey, value: undefined });
    return writes;
  }

  #rowsOf(place: number, change: rows.PendingChange): RowWrite[] {
    return [
      { key: rows.changeRowKey(this.id, place), value: rows.encodePending(change) },
      { key: rows.keyRowKey(this.id, change.key), value: rows.encodePlace(place) },
    ];
  }

  #waiting(reader: RowReader, key: string) {
    const placeRow = reader.get(rows.keyRowKey(this.id, key));
    if (!placeRow) return undefined;
    const place = rows.decodePlace(placeRow);
    const row = reader.get(rows.changeRowKey(this.id, place));
    return row && { place, change: rows.decodePending(row) };
  }
}
