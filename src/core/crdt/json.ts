import { EnokiError } from "../errors.js";

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/**
 * The one JSON text of a value: no spaces, members of objects in the order of their names. Equal
 * values have equal texts.
 * @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` for NaN, infinities and what is no JSON
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (Number.isFinite(value)) return JSON.stringify(value);
    throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", "NaN and infinities cannot be stored");
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") {
    throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", `a ${typeof value} is not JSON`);
  }
  const object = value as { readonly [name: string]: Json };
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name] as Json)}`);
  return `{${members.join(",")}}`;
}
