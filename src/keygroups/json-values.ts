import { isUtf8 } from "node:buffer";

import { fromJsonValue, toJsonValue, type JsonValue } from "../channel/values.js";
import { findJsonFault } from "../base/json-scan.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { isCrdt, TAG, type Tag, type TypedValue } from "../core/value.js";

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Names of the CRDT types in an export. */
const CRDT_TAGS = { counter: TAG.counter, set: TAG.set, map: TAG.map } as const;

/** A value in an export: a plain one, or the state of a CRDT in base64. */
export type ExportedValue = JsonValue | { readonly t: keyof typeof CRDT_TAGS; readonly v: string };

/**
 * Reads a plain value from its form `{"t","v"}` in JSON.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_VALUE_UNSUPPORTED`
 */
export function readJsonValue(json: JsonValue): TypedValue {
  if (json.t === "bytes") checkBase64(json.v);
  if (json.t === "str") checkWellFormed(json.v);
  if (json.t !== "json") return fromJsonValue(json);
  const text = stringify(json.v);
  checkJsonText(text);
  return { tag: TAG.json, bytes: Buffer.from(text, "utf8") };
}

/** Writes what a reader sees in its form `{"t","v"}` in JSON. */
export function showJsonValue(value: TypedValue): JsonValue {
  return toJsonValue(value);
}

/**
 * Checks raw bytes that are to be stored as a value of type `tag`.
 * @throws EnokiError `ENOKI_INVALID_INPUT` (not UTF-8, not JSON), `ENOKI_VALUE_UNSUPPORTED`
 */
export function readRawValue(
  tag: typeof TAG.str | typeof TAG.bytes | typeof TAG.json,
  bytes: Uint8Array,
): TypedValue {
  if (tag === TAG.bytes) return { tag, bytes };
  if (!isUtf8(bytes)) throw new EnokiError("ENOKI_INVALID_INPUT", "the value is not UTF-8");
  if (tag === TAG.json) {
    const fault = findJsonFault(bytes, LIMITS.jsonDepthMax);
    if (fault?.isTooDeep) throw tooDeep();
    if (fault) {
      throw new EnokiError("ENOKI_INVALID_INPUT", `the value is not JSON from byte ${fault.at} on`);
    }
    checkJsonText(Buffer.from(bytes).toString("utf8"));
  }
  return { tag, bytes };
}

/** Writes an exported value, CRDTs with their state. */
export function showExportedValue(value: TypedValue): ExportedValue {
  if (!isCrdt(value.tag)) return toJsonValue(value);
  const t = (Object.keys(CRDT_TAGS) as (keyof typeof CRDT_TAGS)[]).find(
    (name) => CRDT_TAGS[name] === value.tag,
  ) as keyof typeof CRDT_TAGS;
  return { t, v: Buffer.from(value.bytes).toString("base64") };
}

/**
 * Reads an exported value; whether the state of a CRDT decodes is the keygroup's to say.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_VALUE_UNSUPPORTED`
 */
export function readExportedValue(json: ExportedValue): TypedValue {
  if (json.t === "str" || json.t === "bytes" || json.t === "json") return readJsonValue(json);
  checkBase64(json.v);
  const tag: Tag = CRDT_TAGS[json.t];
  return { tag, bytes: Buffer.from(json.v, "base64") };
}

function checkBase64(text: string): void {
  if (text.length % 4 === 0 && BASE64.test(text)) return;
  throw new EnokiError("ENOKI_INVALID_INPUT", "v: not base64");
}

/** A lone half of a surrogate pair has no UTF-8; storing it would change the text silently. */
function checkWellFormed(text: string): void {
  if (!text.isWellFormed()) throw halfPair();
}

function halfPair(): EnokiError {
  return new EnokiError("ENOKI_VALUE_UNSUPPORTED", "the text has half of a surrogate pair");
}

/** Text of a JSON value that came out of a parser. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    throw tooDeep();
  }
}

/**
 * Refuses integers that not every language can hold, numbers too large for any, halves of surrogate
 * pairs, which JSON can escape, and extreme nesting. `text` must be valid JSON.
 */
function checkJsonText(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = checkString(text, at);
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) at = checkNumber(text, at);
    else if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
    if (depth > LIMITS.jsonDepthMax) throw tooDeep();
  }
}

/** Checks the string that begins at `start` and returns the index of the quote that ends it. */
function checkString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at;
    if (code !== 0x5c) continue;
    const unit = escapedUnit(text, at);
    const isPair = isHighHalf(unit) && isLowHalf(escapedUnit(text, at + 6));
    if (!isPair && (isHighHalf(unit) || isLowHalf(unit))) throw halfPair();
    at += isPair ? 11 : unit === undefined ? 1 : 5;
  }
  return text.length;
}

/** The code unit of the escape `\uXXXX` at `at`; `undefined` for anything else. */
function escapedUnit(text: string, at: number): number | undefined {
  if (text.charCodeAt(at) !== 0x5c || text.charCodeAt(at + 1) !== 0x75) return undefined;
  return Number.parseInt(text.slice(at + 2, at + 6), 16);
}

function isHighHalf(unit: number | undefined): boolean {
  return unit !== undefined && unit >= 0xd800 && unit <= 0xdbff;
}

function isLowHalf(unit: number | undefined): boolean {
  return unit !== undefined && unit >= 0xdc00 && unit <= 0xdfff;
}

/** Checks the number that begins at `start` and returns the index of its last character. */
function checkNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && isNumberPart(text.charCodeAt(end))) end++;
  const literal = text.slice(start, end);
  const number = Number(literal);
  const isSupported = /^-?\d+$/.test(literal)
    ? Number.isSafeInteger(number)
    : Number.isFinite(number);
  if (isSupported) return end - 1;
  throw new EnokiError(
    "ENOKI_VALUE_UNSUPPORTED",
    `the number ${literal.slice(0, 40)} is beyond what every language holds exactly`,
  );
}

/** A digit or one of `. e E + -`. */
function isNumberPart(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2e ||
    code === 0x65 ||
    code === 0x45 ||
    code === 0x2b ||
    code === 0x2d
  );
}

function tooDeep(): EnokiError {
  return new EnokiError(
    "ENOKI_VALUE_UNSUPPORTED",
    `JSON nested deeper than ${LIMITS.jsonDepthMax}`,
  );
}
