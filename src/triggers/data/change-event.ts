import type { KeygroupName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import { TAG, type TypedValue } from "../../core/value.js";

/** What a function is told of a change of a key. Documented in `docs/guides/triggers.md`. */
export interface ChangeEvent {
  readonly keygroup: KeygroupName;
  readonly key: string;
  /** `undefined` = the key was deleted. */
  readonly value: TypedValue | undefined;
  /** What was there before; `undefined` = nothing, or nobody knows. */
  readonly old: TypedValue | undefined;
  /** There was something before that was too large to keep. */
  readonly isOldLeftOut?: boolean;
  /** Of the value, or of the deletion. */
  readonly version: string;
  /** The node that tells. */
  readonly node: string;
  /** When it was written, in ms. */
  readonly atMs: number;
}

/** Room for everything but the two values. */
const REST_BYTES = 8 * 1024;
/** The last millisecond that a date can hold. */
const TIME_MS_MAX = 8.64e15;

/**
 * The body of the call that an event makes, as JSON. Text and JSON are as they were written, bytes are
 * base64 with `valueEncoding` or `oldEncoding` saying so. What would make it too large is left out and
 * named in `leftOut`, `old` before `value`.
 */
export function encodeChangeEvent(event: ChangeEvent): Buffer {
  const { keygroup, key, value, old, version, node, atMs } = event;
  const roomBytes = LIMITS.triggerEventBytesMax - REST_BYTES;
  const shown = { value: encode(value), old: encode(old) };
  const leftOut: string[] = [];
  const isTooMuch = shown.value.sizeBytes + shown.old.sizeBytes > roomBytes;
  if (event.isOldLeftOut === true || (isTooMuch && old !== undefined)) leftOut.push("old");
  if (shown.value.sizeBytes > roomBytes) leftOut.push("value");
  const members = (name: "value" | "old"): string => {
    const { text, isBase64 } = shown[name];
    if (text === undefined || leftOut.includes(name)) return "";
    return `,"${name}":${text}${isBase64 ? `,"${name}Encoding":"base64"` : ""}`;
  };
  const head = JSON.stringify({ source: "keygroup", keygroup, key });
  const at = new Date(Math.min(atMs, TIME_MS_MAX)).toISOString();
  const isLeftOut = leftOut.length > 0 ? { leftOut } : {};
  const tail = JSON.stringify({ deleted: value === undefined, version, node, at, ...isLeftOut });
  const text = `${head.slice(0, -1)}${members("value")}${members("old")},${tail.slice(1)}`;
  return Buffer.from(text, "utf8");
}

function encode(value: TypedValue | undefined) {
  if (value === undefined) return { text: undefined, isBase64: false, sizeBytes: 0 };
  const bytes = Buffer.from(value.bytes.buffer, value.bytes.byteOffset, value.bytes.byteLength);
  // Too large in any case, so nothing is made of it.
  if (bytes.length > LIMITS.triggerEventBytesMax) {
    return { text: "", isBase64: false, sizeBytes: bytes.length };
  }
  const isBase64 = value.tag === TAG.bytes;
  const text = isBase64
    ? JSON.stringify(bytes.toString("base64"))
    : value.tag === TAG.str
      ? JSON.stringify(bytes.toString("utf8"))
      : bytes.toString("utf8");
  return { text, isBase64, sizeBytes: Buffer.byteLength(text) };
}
