import { isAscii } from "node:buffer";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { TAG } from "../core/value.js";
import { ON_STALE } from "../channel/frames.js";
import { FRESH_MS_MAX, type Fresh } from "../channel/operations.js";
import type { JsonValue } from "../channel/values.js";
import { parseDurationMs } from "../base/duration.js";
import type { ReadOptions } from "./types.js";

/** Nesting beyond this is refused; it also ends the walk over a circular object. */
const DEPTH_MAX = 500;
/** Byte values up to this are copied, so that a kept one does not pin what it arrived in. */
const COPY_BYTES_MAX = 64 * 1024;
/** Above this the check for ASCII pays: such text becomes a string with one copy. */
const ASCII_CHECK_BYTES_MIN = 512;

/** The tag and the content of a value that may be stored. */
export interface Encoded {
  readonly tag: number;
  /** Text stays text: the channel writes it as UTF-8. */
  readonly content: string | Uint8Array;
}

/** Checks a value and brings it into the form in which it travels. @throws EnokiError */
export function encodeValue(value: unknown): Encoded {
  if (typeof value === "string") {
    checkText(value);
    return { tag: TAG.str, content: checkTextSize(value) };
  }
  const bytes = asBytes(value);
  if (bytes) {
    if (bytes.length > LIMITS.valueSizeBytesMax) throw tooLarge();
    return { tag: TAG.bytes, content: bytes };
  }
  checkJson(value, 0);
  return { tag: TAG.json, content: checkTextSize(JSON.stringify(value)) };
}

/** Reads a value that the node sent; it lies in `payload` between `from` and `to`. */
export function decodeValue(tag: number, payload: Buffer, from: number, to: number): unknown {
  if (tag === TAG.bytes) return toUint8Array(payload.subarray(from, to));
  const isShort = to - from < ASCII_CHECK_BYTES_MIN;
  const text = isShort
    ? payload.toString("utf8", from, to)
    : decodeText(payload.subarray(from, to));
  return tag === TAG.str ? text : (JSON.parse(text) as unknown);
}

/** Reads a value inside a JSON reply. */
export function decodeJsonValue(json: JsonValue): unknown {
  return json.t === "bytes" ? toUint8Array(Buffer.from(json.v, "base64")) : json.v;
}

/** Plain bytes from a buffer of the channel. */
export function toUint8Array(bytes: Buffer): Uint8Array {
  return bytes.length <= COPY_BYTES_MAX
    ? new Uint8Array(bytes)
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Decodes UTF-8. */
export function decodeText(bytes: Buffer): string {
  if (bytes.length < ASCII_CHECK_BYTES_MIN) return bytes.toString("utf8");
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}

/** Bytes of what counts as bytes; `undefined` for anything else. */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** Checks a key. @throws EnokiError `ENOKI_INVALID_KEY` */
export function checkKey(key: unknown): string {
  if (typeof key !== "string")
    throw new EnokiError("ENOKI_INVALID_KEY", `a key is a string, not ${typeName(key)}`);
  if (key === "") throw new EnokiError("ENOKI_INVALID_KEY", "a key is not empty");
  return checkBound(key);
}

/** Checks a bound of a scan: a key, or empty. @throws EnokiError `ENOKI_INVALID_KEY` */
export function checkBound(key: unknown): string {
  if (typeof key !== "string")
    throw new EnokiError("ENOKI_INVALID_KEY", `a key is a string, not ${typeName(key)}`);
  const isShort = key.length * 3 <= LIMITS.keySizeBytesMax;
  if (!isShort && Buffer.byteLength(key) > LIMITS.keySizeBytesMax) {
    throw new EnokiError("ENOKI_INVALID_KEY", "the key is longer than 1,024 bytes");
  }
  if (!key.isWellFormed())
    throw new EnokiError("ENOKI_INVALID_KEY", "the key holds a lone surrogate");
  return key;
}

/** Parses a time to live. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function parseTtlMs(ttl: unknown): number {
  const ttlMs = typeof ttl === "string" ? parseDurationMs(ttl) : undefined;
  if (ttlMs === undefined || ttlMs <= 0) {
    throw new EnokiError("ENOKI_INVALID_INPUT", 'ttl is a duration such as "10m"');
  }
  return ttlMs;
}

const ON_STALE_NAMES: ReadonlySet<unknown> = new Set(Object.keys(ON_STALE));
/** How long a read waits for fresher data, or asks around, unless it is told. */
const WITHIN_MS = 5000;

/**
 * How fresh a read has to be; `undefined`: as it is here.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function parseFresh(options: ReadOptions | undefined): Fresh | undefined {
  if (!options) return undefined;
  const { maxStaleness, onStale = "wait", within } = options;
  if (maxStaleness === undefined) {
    if (options.onStale === undefined && within === undefined) return undefined;
    throw new EnokiError("ENOKI_INVALID_INPUT", "onStale and within go with maxStaleness");
  }
  if (!ON_STALE_NAMES.has(onStale)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "onStale is wait, peer, serve or fail");
  }
  return {
    maxStalenessMs: parseFreshMs("maxStaleness", maxStaleness),
    onStale,
    withinMs: within === undefined ? WITHIN_MS : parseFreshMs("within", within),
  };
}

function parseFreshMs(option: string, duration: unknown): number {
  const durationMs = typeof duration === "string" ? parseDurationMs(duration) : undefined;
  if (durationMs !== undefined) return Math.min(durationMs, FRESH_MS_MAX);
  throw new EnokiError("ENOKI_INVALID_INPUT", `${option} is a duration such as "500ms"`);
}

/**
 * Refuses to be fresh, for a read that shows what is here and nothing else: ignored, it would seem kept.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function refuseFresh(read: string, options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  if (!["maxStaleness", "onStale", "within"].some((option) => option in options)) return;
  const detail = `${read} shows what is here: for a fresh read use get(key, default, { maxStaleness })`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail);
}

/** Checks an amount to add. @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` */
export function checkAmount(n: unknown): number {
  if (typeof n !== "number") throw unsupported(`${typeName(n)} cannot be added`);
  checkNumber(n);
  return n;
}

/** Checks JSON inside a set or a map. @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` */
export function checkJsonMember(value: unknown): unknown {
  if (typeof value === "string") checkText(value);
  else checkJson(value, 0);
  return value;
}

function checkJson(value: unknown, depth: number): void {
  switch (typeof value) {
    case "string":
      return checkText(value);
    case "number":
      return checkNumber(value);
    case "boolean":
      return;
    case "object":
      if (value !== null) checkContainer(value, depth);
      return;
    default:
      throw unsupported(`${typeName(value)} cannot be stored`);
  }
}

function checkContainer(value: object, depth: number): void {
  if (depth > DEPTH_MAX) throw unsupported("the value is circular or nested too deeply");
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkJson(value[i], depth + 1);
    return;
  }
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && !isPlainPrototype(prototype)) {
    throw unsupported(`${typeName(value)} cannot be stored; store a plain object`);
  }
  for (const [name, member] of Object.entries(value)) {
    checkText(name);
    checkJson(member, depth + 1);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    throw unsupported("an object with toJSON cannot be stored");
  }
}

/** True for `Object.prototype`, also for that of another realm. */
function isPlainPrototype(prototype: object): boolean {
  return prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function checkNumber(value: number): void {
  if (!Number.isFinite(value)) throw unsupported(`${value} cannot be stored`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw unsupported(`${value} is beyond ±(2^53−1)`);
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw unsupported("a string with a lone surrogate cannot be stored");
}

function checkTextSize(text: string): string {
  const limit = LIMITS.valueSizeBytesMax;
  if (text.length * 3 > limit && Buffer.byteLength(text) > limit) throw tooLarge();
  return text;
}

function tooLarge(): EnokiError {
  return new EnokiError("ENOKI_VALUE_TOO_LARGE");
}

function unsupported(detail: string): EnokiError {
  return new EnokiError("ENOKI_VALUE_UNSUPPORTED", detail);
}

function typeName(value: unknown): string {
  if (typeof value !== "object" || value === null)
    return String(value === null ? null : typeof value);
  return (value as { constructor?: { name?: string } }).constructor?.name ?? "object";
}
