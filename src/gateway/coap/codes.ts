import type { EnokiError } from "../../core/errors.js";

/** A code of a message: class and detail, as in 4.04. */
export function codeOf(group: number, detail: number): number {
  return group * 32 + detail;
}

/** Response codes that this node sends. */
export const CODE = {
  content: codeOf(2, 5),
  continue: codeOf(2, 31),
  badRequest: codeOf(4, 0),
  badOption: codeOf(4, 2),
  notAcceptable: codeOf(4, 6),
  requestIncomplete: codeOf(4, 8),
  requestTooLarge: codeOf(4, 13),
  methodNotAllowed: codeOf(4, 5),
  internalError: codeOf(5, 0),
  unavailable: codeOf(5, 3),
  noProxy: codeOf(5, 5),
} as const;

/** Methods by their code (RFC 7252 and 8132). */
const METHODS: Readonly<Record<number, string>> = {
  1: "GET",
  2: "POST",
  3: "PUT",
  4: "DELETE",
  5: "FETCH",
  6: "PATCH",
  7: "iPATCH",
};

/** What a function is told of the method; `undefined` for one that does not exist. */
export function methodOf(code: number): string | undefined {
  return METHODS[code];
}

/** True for codes of requests, also of methods that do not exist. */
export function isRequest(code: number): boolean {
  return code > 0 && code < 32;
}

/** Statuses of HTTP that CoAP has under the same number. */
const SAME = new Set([400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 422, 429]);
const SAME_OF_SERVERS = new Set([500, 501, 502, 503, 504]);

/** The code for a status that a function returned, or that a platform error has. */
export function codeOfStatus(status: number): number {
  if (status < 300) return CODE.content;
  if (SAME.has(status) || SAME_OF_SERVERS.has(status)) {
    return codeOf(Math.floor(status / 100), status % 100);
  }
  return status >= 400 && status < 500 ? CODE.badRequest : CODE.internalError;
}

/** The code for a platform error. */
export function codeOfError(error: EnokiError): number {
  return codeOfStatus(error.status);
}
