import { measureJson } from "../base/json-scan.js";
import { EnokiError } from "./errors.js";
import { LIMITS } from "./limits.js";

/** So much JSON is parsed in no time, whatever is in it. */
const SMALL_BYTES = 64 * 1024;
/** An operation has its values a few levels below its own. */
const ENVELOPE_DEPTH = 8;

/**
 * Refuses JSON that a parser would be busy with for long: 16 MiB of brackets hold the event loop for
 * seconds. To be called before JSON from outside is parsed.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function refuseHeavyJson(bytes: Uint8Array, from = 0): void {
  if (bytes.length - from <= SMALL_BYTES) return;
  const { parts, depth } = measureJson(bytes, from);
  if (parts <= LIMITS.jsonPartsMax && depth <= LIMITS.jsonDepthMax + ENVELOPE_DEPTH) return;
  const why =
    parts > LIMITS.jsonPartsMax ? `${parts} brackets, names and members` : `${depth} levels`;
  throw new EnokiError("ENOKI_INVALID_INPUT", `too much JSON: ${why}`);
}
