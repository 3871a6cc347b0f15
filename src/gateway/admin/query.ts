import { EnokiError } from "../../core/errors.js";

/**
 * Reads a query string strictly: every name once, every value percent-encoded UTF-8.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function parseQuery(text: string): Record<string, string> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const mark = pair.includes("=") ? pair.indexOf("=") : pair.length;
    const name = decodePart(pair.slice(0, mark).replaceAll("+", " "));
    if (name in values) {
      throw new EnokiError("ENOKI_INVALID_INPUT", `query.${name}: is given twice`);
    }
    values[name] = decodePart(pair.slice(mark + 1).replaceAll("+", " "));
  }
  return values;
}

/**
 * Decodes percent-encoded UTF-8.
 * @throws EnokiError `ENOKI_INVALID_INPUT` for anything malformed
 */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      `${JSON.stringify(text.slice(0, 80))} is not percent-encoded UTF-8`,
    );
  }
}
