import type { z } from "zod";

import { EnokiError, type ErrorCode } from "../../core/errors.js";
import { refuseHeavyJson } from "../../core/json-bounds.js";
import { parseInput } from "../../input/parse-input.js";

/** Enough for every JSON body that carries no values. */
const JSON_BODY_BYTES_MAX = 1024 * 1024;

/** The largest refused body that is read all the same, and dropped: half as much again as any that is taken. */
const DROPPED_BODY_BYTES_MAX = 96 * 1024 * 1024;

const LINE_FEED = 0x0a;

/** How large a body may be, and the error for a larger one. */
export interface BodyLimit {
  readonly sizeBytesMax: number;
  readonly code: ErrorCode;
}

/**
 * Reads a request's body, and stops reading as soon as it is larger than allowed.
 * @throws EnokiError with the limit's code
 */
export async function readBody(request: Request, limit: BodyLimit): Promise<Buffer> {
  await refuseAnnouncedSize(request, limit);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunksOf(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > limit.sizeBytesMax) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}

/**
 * Reads a JSON body and checks it, whatever its content type says; an empty one is `{}`.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_BODY_TOO_LARGE`
 */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  sizeBytesMax = JSON_BODY_BYTES_MAX,
): Promise<z.output<Schema>> {
  const body = await readBody(request, { sizeBytesMax, code: "ENOKI_BODY_TOO_LARGE" });
  return parseInput(schema, body.length === 0 ? {} : parseJson(body, "the body"));
}

/** Parses UTF-8 JSON. @throws EnokiError `ENOKI_INVALID_INPUT`, naming `what` */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  refuseHeavyJson(bytes);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EnokiError("ENOKI_INVALID_INPUT", `${what} is not JSON: ${reason}`);
  }
}

/**
 * The lines of a body as they come in, without their line feeds; the last one may lack it.
 * @throws EnokiError with the limit's code when one line is larger than allowed
 */
export async function* linesOf(request: Request, lineLimit: BodyLimit): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  const take = (part: Uint8Array): void => {
    sizeBytes += part.length;
    if (sizeBytes > lineLimit.sizeBytesMax) throw tooLarge(lineLimit);
    parts.push(part);
  };
  for await (const chunk of chunksOf(request)) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      take(chunk.subarray(from, end));
      yield Buffer.concat(parts, sizeBytes);
      parts = [];
      sizeBytes = 0;
      from = end + 1;
    }
    if (from < chunk.length) take(chunk.subarray(from));
  }
  if (sizeBytes > 0) yield Buffer.concat(parts, sizeBytes);
}

/** The chunks of a body. Leaving the loop early tells the client that nobody reads on. */
async function* chunksOf(request: Request): AsyncGenerator<Uint8Array> {
  if (!request.body) return;
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Refuses a body whose announced size is beyond the limit.
 *
 * why: most clients read no answer before they have sent everything, and one whose connection is
 * closed meanwhile never sees why. So all of the body is awaited first, unless it is huge.
 */
async function refuseAnnouncedSize(request: Request, limit: BodyLimit): Promise<void> {
  const announcedBytes = Number(request.headers.get("content-length") ?? 0);
  if (announcedBytes <= limit.sizeBytesMax) return;
  if (announcedBytes <= DROPPED_BODY_BYTES_MAX) {
    for await (const chunk of chunksOf(request)) void chunk;
  }
  throw tooLarge(limit);
}

function tooLarge({ sizeBytesMax, code }: BodyLimit): EnokiError {
  return new EnokiError(code, `at most ${sizeBytesMax} bytes are allowed here`, { sizeBytesMax });
}
