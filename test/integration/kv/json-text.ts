import { decodeSpecial, isSpecial } from "./drivers/values.js";

/** JSON of a value of a case; numbers that TypeScript cannot hold are written as they stand there. */
export function jsonText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isSpecial(value)) {
    if (value.$ === "nested") {
      return "[".repeat(Number(value["depth"])) + "]".repeat(Number(value["depth"]));
    }
    return value.$ === "number" ? String(value["text"]) : JSON.stringify(decodeSpecial(value));
  }
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${jsonText(item)}`).join(",")}}`;
}

/** Text of a case: a key, a bound, a version. */
export function textOf(value: unknown): string {
  const isDecoded = typeof value === "object" && value !== null && isSpecial(value);
  return String(isDecoded ? decodeSpecial(value) : value);
}
