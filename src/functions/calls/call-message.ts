import * as z from "zod";

import { EnokiError, isErrorCode } from "../../core/errors.js";
import { parseInvocationId, type InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import { parseInput } from "../../input/parse-input.js";
import type { CallRequest, CallResponse } from "../call.js";

/** Number of the request that lets a function run on the node that is asked. */
export const CALL_METHOD = 64;

/** A call on its way to another node. */
export interface CallMessage {
  readonly id: InvocationId;
  readonly function: string;
  readonly request: CallRequest;
  /** `undefined` = as long as the function may take. */
  readonly timeoutMs: number | undefined;
  readonly depth: number;
  /** Token of what the caller has seen; `""` = nothing. */
  readonly session: string;
  /** It may come again, as long as nobody knows of its end: what became of it is kept. */
  readonly isQueued: boolean;
}

/** What became of it. */
export interface CallAnswer {
  readonly outcome: CallResponse | EnokiError;
  readonly isStarted: boolean;
  /** Token of what the caller has seen with the answer; `""` = nothing to remember. */
  readonly session: string;
  readonly stalenessMs: number | undefined;
}

const LENGTH_BYTES = 4;
const text = z.string().max(64 * 1024);

const messageSchema = z.object({
  id: z.string(),
  function: text,
  timeoutMs: z.number().nonnegative().optional(),
  depth: z.int().nonnegative().max(LIMITS.callDepthMax),
  session: text,
  isQueued: z.boolean(),
  method: text,
  path: text,
  query: text,
  contentType: text,
  idempotencyKey: text,
  headers: text,
});

const answerSchema = z.object({
  isStarted: z.boolean(),
  session: text,
  staleness: text.optional(),
  status: z.int().optional(),
  contentType: text.optional(),
  headers: z.string().optional(),
  error: z
    .object({ code: text, message: z.string(), extra: z.record(z.string(), z.unknown()) })
    .optional(),
});

/** u32 length of the head, the head as JSON, the body. */
export function encodeCallMessage({ request, ...rest }: CallMessage): Uint8Array {
  const { body, ...parts } = request;
  return join({ ...rest, ...parts }, body);
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeCallMessage(bytes: Uint8Array): CallMessage {
  const { head, body } = split(bytes);
  const { id, timeoutMs, depth, session, isQueued, ...rest } = read(messageSchema, head);
  const { function: name, ...parts } = rest;
  const request = { ...parts, body: body.length === 0 ? undefined : body };
  return {
    id: parseInvocationId(id),
    function: name,
    request,
    timeoutMs,
    depth,
    session,
    isQueued,
  };
}

/** u32 length of the head, the head as JSON, the body that the function returned. */
export function encodeCallAnswer(answer: CallAnswer): Uint8Array {
  const { outcome, isStarted, session, stalenessMs } = answer;
  const staleness = stalenessMs === undefined ? undefined : String(stalenessMs);
  if (outcome instanceof EnokiError) {
    const { code, message, extra } = outcome;
    return join({ isStarted, session, staleness, error: { code, message, extra } }, undefined);
  }
  const { status, contentType, headers, body } = outcome;
  return join({ isStarted, session, staleness, status, contentType, headers }, body);
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeCallAnswer(bytes: Uint8Array): CallAnswer {
  const { head, body } = split(bytes);
  const { isStarted, session, staleness, error, ...rest } = read(answerSchema, head);
  const stalenessMs = staleness === undefined ? undefined : Number(staleness);
  const { status, contentType = "", headers = "" } = rest;
  if (error) {
    const code = isErrorCode(error.code) ? error.code : "ENOKI_INTERNAL";
    const outcome = new EnokiError(code, error.message, error.extra);
    return { outcome, isStarted, session, stalenessMs };
  }
  if (status === undefined) throw malformed("it has neither a status nor an error");
  return { outcome: { status, contentType, headers, body }, isStarted, session, stalenessMs };
}

function join(head: object, body: Uint8Array | undefined): Uint8Array {
  const json = Buffer.from(JSON.stringify(head), "utf8");
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat(body ? [length, json, body] : [length, json]);
}

function split(bytes: Uint8Array): { readonly head: unknown; readonly body: Buffer } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = all.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + all.readUInt32LE(0);
  if (end > all.length) throw malformed("it is cut short");
  try {
    const head = JSON.parse(all.toString("utf8", LENGTH_BYTES, end)) as unknown;
    return { head, body: all.subarray(end) };
  } catch {
    throw malformed("its head is not JSON");
  }
}

function read<Schema extends z.ZodType>(schema: Schema, head: unknown): z.output<Schema> {
  try {
    return parseInput(schema, head);
  } catch (error) {
    throw malformed((error as Error).message);
  }
}

function malformed(detail: string): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", `a call between nodes is malformed: ${detail}`);
}
