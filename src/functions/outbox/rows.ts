import { ROW_PREFIX, type RowWrite } from "../../core/rows.js";
import { EnokiError, isErrorCode, type ErrorCode } from "../../core/errors.js";
import type { InvocationId } from "../../core/ids.js";
import type { CallRequest, CallResponse } from "../call.js";
import type { DataMarks } from "../sessions.js";

/**
 * The outbox's rows among a keygroup's local rows (`docs/internals/storage-format.md`):
 * `p q <created> <id>` a waiting or dead invocation, `p r <finished> <id>` a result, both times u48 in
 * ms, `p k <function> 0 <key>` the id that an idempotency key stands for. Head and body: u32 length of
 * the head, the head as JSON, the body.
 *
 * why the times: ids are random, and a commit of fifty ends would change a page of the store for each.
 */
const KIND = { entry: 0x71, result: 0x72, idempotency: 0x6b } as const;
const TIME_BYTES = 6;
const ID_BYTES = 16;

/** Why an invocation failed last. */
export interface StoredFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** What is stored of an invocation that waits, or that was given up (`isDead`). */
export interface StoredEntry {
  readonly function: string;
  readonly request: CallRequest;
  readonly createdAtMs: number;
  readonly tries: number;
  /** Not tried again before; wall clock. */
  readonly notBeforeMs: number;
  readonly isDead: boolean;
  readonly finishedAtMs: number;
  readonly lastError: StoredFailure | undefined;
  /** The token that came with the call; absent without one. */
  readonly session?: string | undefined;
  /** The function that sent it; absent for a call from outside. */
  readonly from?: string | undefined;
  /** Calls and sends above it; absent for a call from outside. */
  readonly depth?: number | undefined;
  /** What its sender has sent to the function with this key is handled in order; absent without one. */
  readonly orderKey?: string | undefined;
  /** Its place in that order: a greater one was sent later. */
  readonly sequence?: number | undefined;
}

/** What is stored of an invocation that ended, well or not. */
export interface StoredResult {
  readonly function: string;
  readonly idempotencyKey: string;
  readonly createdAtMs: number;
  readonly finishedAtMs: number;
  readonly tries: number;
  readonly outcome: CallResponse | StoredFailure;
  /** What is said of the data with it. */
  readonly marks?: DataMarks | undefined;
}

/** Bounds of all rows of one kind. */
export function rangeOf(kind: keyof typeof KIND): { start: Buffer; end: Buffer } {
  const start = Buffer.of(ROW_PREFIX.local, KIND[kind]);
  return { start, end: Buffer.of(ROW_PREFIX.local, KIND[kind] + 1) };
}

/** Row of a waiting or dead invocation. */
export function entryKey(id: InvocationId, createdAtMs: number): Buffer {
  return timedKey(KIND.entry, createdAtMs, id);
}

/** Row of a result. */
export function resultKey(id: InvocationId, finishedAtMs: number): Buffer {
  return timedKey(KIND.result, finishedAtMs, id);
}

/** Row of an idempotency key of one function. */
export function idempotencyRowKey(functionName: string, idempotencyKey: string): Buffer {
  const name = Buffer.from(`${functionName}\0${idempotencyKey}`, "utf8");
  return Buffer.concat([Buffer.of(ROW_PREFIX.local, KIND.idempotency), name]);
}

/** The id in the key of an entry's or result's row. */
export function idOf(rowKey: Uint8Array): InvocationId {
  return Buffer.from(rowKey).toString("hex", 2 + TIME_BYTES) as InvocationId;
}

export function encodeEntry(entry: StoredEntry): Buffer {
  const { request, ...rest } = entry;
  const { body, ...head } = request;
  return joinParts({ ...rest, request: head }, body);
}

export function decodeEntry(row: Uint8Array): StoredEntry {
  const { head, body } = splitParts<StoredEntry>(row);
  return { ...head, request: { ...head.request, body: body.length === 0 ? undefined : body } };
}

export function encodeResult(result: StoredResult): Buffer {
  const { outcome, ...rest } = result;
  if ("code" in outcome) return joinParts({ ...rest, outcome }, undefined);
  const { body, ...head } = outcome;
  return joinParts({ ...rest, outcome: head }, body);
}

export function decodeResult(row: Uint8Array): StoredResult {
  const { head, body } = splitParts<StoredResult>(row);
  const { outcome } = head;
  return "code" in outcome ? head : { ...head, outcome: { ...outcome, body } };
}

/** An invocation that was given up. */
export function buriedEntry(
  entry: StoredEntry,
  finishedAtMs: number,
  lastError: StoredFailure,
): StoredEntry {
  return { ...entry, isDead: true, finishedAtMs, lastError };
}

/** What is kept of an error. */
export function failureOf(error: EnokiError): StoredFailure {
  return { code: error.code, message: error.message, extra: error.extra };
}

/** The error that a stored failure stands for. */
export function errorOf(failure: StoredFailure): EnokiError {
  const code = isErrorCode(failure.code) ? failure.code : "ENOKI_INTERNAL";
  return new EnokiError(code, failure.message, failure.extra);
}

/** What deletes a dead letter, its result, and the idempotency key that stands for it. */
export function deadLetterDrops(id: InvocationId, entry: StoredEntry): RowWrite[] {
  const { createdAtMs, finishedAtMs } = entry;
  const drops = [dropRow(entryKey(id, createdAtMs)), dropRow(resultKey(id, finishedAtMs))];
  const { idempotencyKey } = entry.request;
  if (idempotencyKey !== "") {
    drops.push(dropRow(idempotencyRowKey(entry.function, idempotencyKey)));
  }
  return drops;
}

/** A row to delete. */
export function dropRow(key: Buffer): RowWrite {
  return { key, value: undefined };
}

function timedKey(kind: number, timeMs: number, id: InvocationId): Buffer {
  const key = Buffer.allocUnsafe(2 + TIME_BYTES + ID_BYTES);
  key[0] = ROW_PREFIX.local;
  key[1] = kind;
  key.writeUIntBE(timeMs, 2, TIME_BYTES);
  key.write(id, 2 + TIME_BYTES, "hex");
  return key;
}

function joinParts(head: object, body: Buffer | undefined): Buffer {
  const json = Buffer.from(JSON.stringify(head), "utf8");
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat(body ? [length, json, body] : [length, json]);
}

function splitParts<T>(row: Uint8Array): { head: T; body: Buffer } {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  const end = 4 + bytes.readUInt32LE(0);
  return { head: JSON.parse(bytes.toString("utf8", 4, end)) as T, body: bytes.subarray(end) };
}
