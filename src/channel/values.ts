import { TAG, type TypedValue } from "../core/value.js";
import { ChannelError } from "./payload.js";

/** A value inside the JSON of an operation. */
export type JsonValue =
  | { readonly t: "str"; readonly v: string }
  | { readonly t: "bytes"; readonly v: string }
  | { readonly t: "json"; readonly v: unknown };

/** Writes a plain value in the form it has inside JSON. */
export function toJsonValue(value: TypedValue): JsonValue {
  const bytes = asBuffer(value.bytes);
  switch (value.tag) {
    case TAG.str:
      return { t: "str", v: bytes.toString("utf8") };
    case TAG.bytes:
      return { t: "bytes", v: bytes.toString("base64") };
    case TAG.json:
      return { t: "json", v: JSON.parse(bytes.toString("utf8")) as unknown };
    default:
      throw new ChannelError(`no value of tag ${value.tag} travels as JSON`);
  }
}

/** Reads a value from the form it has inside JSON. @throws ChannelError when it has none */
export function fromJsonValue(json: unknown): TypedValue {
  const { t, v } = (json ?? {}) as { t?: unknown; v?: unknown };
  if (t === "json" && v !== undefined) {
    return { tag: TAG.json, bytes: Buffer.from(JSON.stringify(v), "utf8") };
  }
  if (typeof v === "string" && t === "str") return { tag: TAG.str, bytes: Buffer.from(v, "utf8") };
  if (typeof v === "string" && t === "bytes") {
    return { tag: TAG.bytes, bytes: Buffer.from(v, "base64") };
  }
  throw new ChannelError("not a value: it needs t and v");
}

/** A view of the same bytes with the methods of a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
