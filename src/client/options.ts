import { parseDurationMs } from "../base/duration.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";

/** Checks a duration such as `5s`; a longer one is as if it were a day. @throws EnokiError `ENOKI_INVALID_INPUT` naming the option */
export function durationMs(option: string, text: string): number {
  const parsed = parseDurationMs(text);
  if (parsed !== undefined) return Math.min(parsed, LIMITS.longestWaitMs);
  const hint = /^\d+$/.test(text) ? `; a unit is missing: ${text}ms, ${text}s, ${text}m …` : "";
  throw new EnokiError(
    "ENOKI_INVALID_INPUT",
    `${option}: ${JSON.stringify(text)} is no duration such as 200ms, 5s, 10m, 2h or 7d${hint}`,
  );
}

/** Joins query parameters; the ones that are `undefined` are left out. */
export function query(
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) given.set(name, String(value));
  }
  return given.size === 0 ? "" : `?${given.toString()}`;
}

/** Writes a name or a key as one segment of a path. @throws EnokiError `ENOKI_INVALID_KEY` */
export function segment(text: string): string {
  // Every URL parser resolves these two, however they are escaped.
  const isDots = text === "." || text === "..";
  if (text === "" || isDots || /\p{Surrogate}/u.test(text)) {
    const reason = isDots ? "cannot stand in a URL" : "is no non-empty Unicode text";
    throw new EnokiError("ENOKI_INVALID_KEY", `${JSON.stringify(text)} ${reason}`);
  }
  return encodeURIComponent(text);
}
