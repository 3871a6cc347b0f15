import { EnokiError } from "../../core/errors.js";
import { TAG, type TypedValue } from "../../core/value.js";
import { readRawValue } from "../../keygroups/json-values.js";

/**
 * Makes a value of a raw body: `text/*` → str, `application/json` → JSON, everything else → bytes.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_VALUE_UNSUPPORTED`
 */
export function valueOfBody(contentType: string | null, body: Uint8Array): TypedValue {
  const [type = "", ...parameters] = (contentType ?? "").toLowerCase().split(";");
  const mediaType = type.trim();
  const isJson = mediaType === "application/json";
  if (!isJson && !mediaType.startsWith("text/")) return readRawValue(TAG.bytes, body);
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1];
    if (charset !== undefined && !["utf-8", "utf8", "us-ascii"].includes(charset)) {
      throw new EnokiError("ENOKI_INVALID_INPUT", `Content-Type: text is UTF-8, not ${charset}`, {
        field: "Content-Type",
      });
    }
  }
  return readRawValue(isJson ? TAG.json : TAG.str, body);
}

/** Media type of a value as a reader gets it; CRDTs are shown as JSON. */
export function contentTypeOf(value: TypedValue): string {
  if (value.tag === TAG.str) return "text/plain; charset=utf-8";
  if (value.tag === TAG.bytes) return "application/octet-stream";
  return "application/json";
}
