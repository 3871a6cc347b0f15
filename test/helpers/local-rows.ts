import {
  decodeEntry,
  decodeResult,
  encodeEntry,
  encodeResult,
  entryKey,
  idempotencyRowKey,
  idOf,
  resultKey,
} from "../../src/functions/outbox/rows.js";
import {
  changeRowKey,
  decodeMarker,
  decodePending,
  decodePlace,
  encodeMarker,
  encodePending,
  encodePlace,
  keyRowKey,
  markerRowKey,
  placeOf,
  triggerOfRow,
} from "../../src/triggers/data/pending-rows.js";
import type { RowPair } from "../../src/core/rows.js";

/** What a local row says, and the row that this version writes for that. */
export interface LocalRow {
  readonly row: string;
  readonly says: unknown;
  readonly again: RowPair;
}

/** Reads a row of the outbox or of triggers. */
export function readLocalRow({ key, value }: RowPair): LocalRow {
  const kind = Buffer.from(key).toString("latin1", 0, 2);
  switch (kind) {
    case "pq": {
      const says = decodeEntry(value);
      const again = { key: entryKey(idOf(key), says.createdAtMs), value: encodeEntry(says) };
      return { row: "outbox invocation", says: shown({ id: idOf(key), ...says }), again };
    }
    case "pr": {
      const says = decodeResult(value);
      const again = { key: resultKey(idOf(key), says.finishedAtMs), value: encodeResult(says) };
      return { row: "outbox result", says: shown({ id: idOf(key), ...says }), again };
    }
    case "pk": {
      const [name = "", idempotencyKey = ""] = Buffer.from(key).toString("utf8", 2).split("\0");
      const again = { key: idempotencyRowKey(name, idempotencyKey), value };
      const id = Buffer.from(value).toString("hex");
      return { row: "outbox idempotency key", says: { name, idempotencyKey, id }, again };
    }
    case "pt":
      return readTriggerRow({ key, value });
    default:
      throw new Error(`no local row is ${kind}`);
  }
}

/** Where the part of a trigger's row is named: after `p t` and the trigger's id. */
const PART_AT = 10;

function readTriggerRow({ key, value }: RowPair): LocalRow {
  const trigger = triggerOfRow(key);
  switch (Buffer.from(key).toString("latin1", PART_AT, PART_AT + 1)) {
    case "q": {
      const [place, says] = [placeOf(key), decodePending(value)];
      const again = { key: changeRowKey(trigger, place), value: encodePending(says) };
      return { row: "trigger change", says: shown({ trigger, place, ...says }), again };
    }
    case "k": {
      const name = Buffer.from(key).toString("utf8", PART_AT + 1);
      const place = decodePlace(value);
      const again = { key: keyRowKey(trigger, name), value: encodePlace(place) };
      return { row: "trigger key", says: { trigger, name, place }, again };
    }
    default: {
      const says = decodeMarker(value);
      const again = { key: markerRowKey(trigger), value: encodeMarker(says) };
      return { row: "trigger marker", says: { trigger, ...says }, again };
    }
  }
}

/** As JSON has it, with bytes as digits. */
export function shown(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, function (this: Record<string, unknown>, name, item: unknown) {
      const original = this[name];
      return original instanceof Uint8Array ? Buffer.from(original).toString("hex") : item;
    }),
  );
}
