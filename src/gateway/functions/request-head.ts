import { parseDurationMs } from "../../base/duration.js";
import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";

/** What the gateway itself needs from a request's headers, and the form in which all travel on. */
export interface RequestHead {
  readonly contentType: string;
  readonly idempotencyKey: string;
  readonly authorization: string;
  /** The token of the client's session; `""` = none. */
  readonly session: string;
  /** `undefined` = not asked for. */
  readonly timeoutMs: number | undefined;
  readonly isAsync: boolean;
  readonly hasBody: boolean;
  /** What Content-Length announces; 0 = nothing, or it is not known. */
  readonly announcedBytes: number;
  /** `name\0value\0…` with lower-case names; hop-by-hop headers and credentials for us left out. */
  readonly joined: string;
}

/** A token of ours, which no function is to see, whoever it was meant for. */
const NODE_TOKEN = /^Bearer +enoki_/i;

/**
 * Reads `rawHeaders` (name, value, name, value …) in one pass. A token that is meant for the node
 * does not travel on, so `Authorization` is only kept where the function is public.
 * @throws EnokiError `ENOKI_INVALID_INPUT` for an `Enoki-Timeout` that is no duration
 */
export function readHead(rawHeaders: readonly string[], keepsAuthorization: boolean): RequestHead {
  let contentType = "";
  let idempotencyKey = "";
  let authorization = "";
  let session = "";
  let timeoutMs: number | undefined;
  let isAsync = false;
  let hasBody = false;
  let announcedBytes = 0;
  let joined = "";
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    switch (name) {
      case "connection":
      case "keep-alive":
      case "upgrade":
      case "expect":
        continue;
      case "content-type":
        contentType = value;
        break;
      case "content-length":
        announcedBytes = Number(value);
        hasBody ||= announcedBytes !== 0;
        break;
      case "transfer-encoding":
        hasBody = true;
        continue;
      case "idempotency-key":
        idempotencyKey = value;
        break;
      case "authorization":
        authorization = value;
        if (!keepsAuthorization || NODE_TOKEN.test(value)) continue;
        break;
      case "enoki-session":
        session = value;
        continue;
      case "enoki-timeout":
        timeoutMs = readTimeoutMs(value);
        break;
      case "prefer":
        isAsync ||= /(?:^|[\s,;])respond-async(?:$|[\s,;])/i.test(value);
        break;
      case "x-tinyfaas-async":
        isAsync = true;
        break;
      default:
    }
    joined += `${name}\0${value}\0`;
  }
  return {
    contentType,
    idempotencyKey,
    authorization,
    session,
    timeoutMs,
    isAsync,
    hasBody,
    announcedBytes,
    joined,
  };
}

function readTimeoutMs(text: string): number {
  const timeoutMs = parseDurationMs(text.trim());
  if (timeoutMs === undefined || timeoutMs === 0) {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      "Enoki-Timeout is not a duration such as 200ms, 5s or 10m",
    );
  }
  // A longer one is cut to the function's own anyway.
  return Math.min(timeoutMs, LIMITS.longestWaitMs);
}
