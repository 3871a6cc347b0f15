/** Rows of the outbox and of triggers, for `gen-fixtures.ts`. */
import type { InvocationId } from "../src/core/ids.js";
import type { RowPair } from "../src/core/rows.js";
import { TAG } from "../src/core/value.js";
import {
  buriedEntry,
  encodeEntry,
  encodeResult,
  entryKey,
  idempotencyRowKey,
  resultKey,
  type StoredEntry,
} from "../src/functions/outbox/rows.js";
import {
  changeRowKey,
  encodeMarker,
  encodePending,
  encodePlace,
  keyRowKey,
  markerRowKey,
} from "../src/triggers/data/pending-rows.js";

const WALL_MS = 1_800_000_000_000;
const ID = "00112233445566778899aabbccddeeff" as InvocationId;
const TRIGGER = "0123456789abcdef";

const WAITING: StoredEntry = {
  function: "hello",
  request: {
    method: "POST",
    path: "/grüezi",
    query: "a=1",
    contentType: "text/plain",
    idempotencyKey: "once",
    headers: "x-own\0yes\0",
    body: Buffer.from("grüezi"),
  },
  createdAtMs: WALL_MS,
  tries: 1,
  notBeforeMs: WALL_MS + 1000,
  isDead: false,
  finishedAtMs: 0,
  lastError: { code: "ENOKI_TIMEOUT", message: "late", extra: { timeoutMs: 5 } },
};

const SENT: StoredEntry = {
  ...WAITING,
  request: { ...WAITING.request, path: "", query: "", idempotencyKey: "", body: undefined },
  session: "token",
  from: "sender",
  depth: 2,
  orderKey: "room",
  sequence: 7,
};

/** Rows of the outbox: every member of every head is in one of them. */
export function outboxRows(): RowPair[] {
  const dead = buriedEntry({ ...SENT, createdAtMs: WALL_MS + 2 }, WALL_MS + 9, {
    code: "ENOKI_INSTANCE_DIED",
    message: "it died",
    extra: {},
  });
  const ended = { function: "hello", createdAtMs: WALL_MS, tries: 1 };
  const marks = { session: "after", staleness: "5" };
  const outcome = { status: 201, contentType: "text/plain", headers: "x\0y\0" };
  return [
    { key: entryKey(ID, WALL_MS), value: encodeEntry(WAITING) },
    {
      key: entryKey(ID, WALL_MS + 1),
      value: encodeEntry({ ...SENT, createdAtMs: WALL_MS + 1, lastError: undefined }),
    },
    { key: entryKey(ID, WALL_MS + 2), value: encodeEntry(dead) },
    {
      key: resultKey(ID, WALL_MS + 3),
      value: encodeResult({
        ...ended,
        idempotencyKey: "once",
        finishedAtMs: WALL_MS + 3,
        outcome: { ...outcome, body: Buffer.of(0, 255) },
        marks,
      }),
    },
    {
      key: resultKey(ID, WALL_MS + 4),
      value: encodeResult({
        ...ended,
        idempotencyKey: "",
        finishedAtMs: WALL_MS + 4,
        outcome: { code: "ENOKI_TIMEOUT", message: "late", extra: { timeoutMs: 5 } },
      }),
    },
    { key: idempotencyRowKey("hello", "once"), value: Buffer.from(ID, "hex") },
  ];
}

/** Rows of triggers. */
export function triggerRows(): RowPair[] {
  const dots = [
    { epoch: 1, restart: 0, counter: 2 },
    { epoch: 300, restart: 5, counter: 400 },
  ];
  const old = { tag: TAG.str, bytes: Buffer.from("grüezi") };
  const change = { key: "é", old, isOldLeftOut: false, dots, sent: ID };
  const later = { key: "é", old: undefined, isOldLeftOut: true, dots: [], sent: undefined };
  return [
    { key: changeRowKey(TRIGGER, 1), value: encodePending(change) },
    { key: changeRowKey(TRIGGER, 2 ** 40), value: encodePending(later) },
    { key: keyRowKey(TRIGGER, "é"), value: encodePlace(2 ** 40) },
    { key: markerRowKey(TRIGGER), value: encodeMarker({ generation: 3, epoch: 300 }) },
  ];
}
