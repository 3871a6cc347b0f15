import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";

/** Refuses what no link carries. @throws EnokiError `ENOKI_VALUE_TOO_LARGE` */
export function checkMessageSize(payload: Uint8Array): void {
  if (payload.length <= LIMITS.linkMessageBytesMax) return;
  const detail = `a message of ${payload.length} bytes; a link carries ${LIMITS.linkMessageBytesMax}`;
  throw new EnokiError("ENOKI_VALUE_TOO_LARGE", detail);
}
