import { joinHeaders } from "../channel/invoke.js";
import type { ResponseInit } from "./types.js";

/** What a function answers with status and headers, ready to travel. */
export class Reply {
  /** Converted as a plain result is. */
  readonly body: unknown;
  /** 0 stands for 200. */
  readonly status: number;
  /** `undefined`: as follows from the body. */
  readonly contentType: string | undefined;
  /** See `joinHeaders`. */
  readonly headers: string;

  constructor(
    body: unknown,
    status = 0,
    contentType: string | undefined = undefined,
    headers = "",
  ) {
    this.body = body;
    this.status = status;
    this.contentType = contentType;
    this.headers = headers;
  }
}

/** The author's function could not be answered with; it becomes `ENOKI_INVALID_RESULT`. */
export class InvalidResultError extends Error {
  override readonly name = "InvalidResultError";
}

/** Makes a response with status and headers from any result. @throws InvalidResultError */
export function response(body?: unknown, init: ResponseInit = {}): Reply {
  const { status = 200, headers = [] } = init;
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  return toReply(body, status, pairs);
}

/** Builds a {@link Reply} from header pairs, taking the content type out of them. */
export function toReply(
  body: unknown,
  status: number,
  headers: Iterable<readonly [string, unknown]>,
): Reply {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new InvalidResultError(`${status} is not a status from 200 to 599`);
  }
  let contentType: string | undefined;
  const kept: string[] = [];
  for (const [name, value] of headers) {
    const text = checkHeader(name, value);
    if (name.toLowerCase() === "content-type") contentType = text;
    else kept.push(name, text);
  }
  return new Reply(body, status, contentType, joinHeaders(kept));
}

/** The value of a header as text. @throws InvalidResultError for what HTTP forbids */
export function checkHeader(name: string, value: unknown): string {
  const text = String(value);
  // What HTTP forbids in a header: everything below a space but tab.
  const isClean = /^[!#$%&'*+.^`|~\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
  if (isClean) return text;
  throw new InvalidResultError(`the header ${JSON.stringify(name)} holds what HTTP forbids`);
}
