import type { CallRequest } from "../../functions/call.js";
import type { CoapMessage } from "./message.js";
import { numberOf, OPTION, textsOf } from "./options.js";

/** What a request asks for: which function, and what that is given. */
export interface CoapTarget {
  /** First segment of the path; `""` for the root. */
  readonly name: string;
  readonly request: Omit<CallRequest, "body">;
}

/** Content formats (RFC 7252 and the registry) and their media types. */
const MEDIA_TYPES: Readonly<Record<number, string>> = {
  0: "text/plain; charset=utf-8",
  40: "application/link-format",
  41: "application/xml",
  42: "application/octet-stream",
  47: "application/exi",
  50: "application/json",
  60: "application/cbor",
};

/** The format of what is text, which answers are where nothing else was asked for. */
export const TEXT_FORMAT = 0;

/**
 * Reads what a message asks for. The path's segments and the query's parts travel on percent-encoded,
 * as they do over HTTP.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function readTarget(message: CoapMessage, method: string): CoapTarget {
  const [name = "", ...segments] = textsOf(message, OPTION.uriPath);
  const format = numberOf(message, OPTION.contentFormat);
  const accept = numberOf(message, OPTION.accept);
  const contentType = format === undefined ? "" : (MEDIA_TYPES[format] ?? `coap-format/${format}`);
  const [host] = textsOf(message, OPTION.uriHost);
  const headers = [
    ...(host === undefined ? [] : ["host", host.replaceAll("\0", "")]),
    ...(contentType === "" ? [] : ["content-type", contentType]),
    ...(accept === undefined ? [] : ["accept", MEDIA_TYPES[accept] ?? `coap-format/${accept}`]),
  ];
  return {
    name,
    request: {
      method,
      path: segments.map((segment) => `/${encodeURIComponent(segment)}`).join(""),
      query: textsOf(message, OPTION.uriQuery).map(encodeQueryPart).join("&"),
      contentType,
      idempotencyKey: "",
      headers: headers.map((text) => `${text}\0`).join(""),
    },
  };
}

/** `name=value`, of which the first `=` is none of the value's. */
function encodeQueryPart(part: string): string {
  const at = part.indexOf("=");
  if (at < 0) return encodeURIComponent(part);
  return `${encodeURIComponent(part.slice(0, at))}=${encodeURIComponent(part.slice(at + 1))}`;
}

/**
 * The format in which a function's answer is sent. Text is what tinyFaaS's clients get; the function's
 * own type goes to those who ask for it.
 * @returns `undefined` where what was asked for is something else
 */
export function formatOf(contentType: string, accept: number | undefined): number | undefined {
  if (accept === undefined || accept === TEXT_FORMAT) return TEXT_FORMAT;
  const wanted = MEDIA_TYPES[accept]?.split(";", 1)[0];
  return wanted === contentType.split(";", 1)[0]?.trim().toLowerCase() ? accept : undefined;
}
