import type { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { passTrace } from "../../core/trace-context.js";
import { TAG, type TypedValue } from "../../core/value.js";
import type { SendOrigin } from "../../keygroups/asker.js";
import type { CallRequest } from "../call.js";
import { depthBelow } from "../calls/call-depth.js";
import type { StoredEntry } from "./rows.js";

/** A call that is to be made later. */
export interface OutboxMessage {
  readonly function: string;
  readonly request: CallRequest;
  /** The function that sends it; `undefined` = it comes from outside. */
  readonly from: FunctionName | undefined;
  /** Calls and sends above it. */
  readonly depth: number;
  /** What `from` sends to the function with this key is handled in its order; `""` = none. */
  readonly orderKey: string;
  /** It runs once what this token has seen is there; `""` = none. */
  readonly session: string;
}

/** A call that an event makes; `refused` = it is not to be made, but to be kept as a dead letter. */
export type OutboxEvent = OutboxMessage & { readonly refused?: EnokiError | undefined };

/** The same, of a function. */
export type SentMessage = OutboxMessage & { readonly from: FunctionName };

/** What is sent with a batch. */
export interface BatchSend {
  readonly function: string;
  readonly data: TypedValue;
  readonly orderKey?: string | undefined;
}

/**
 * The messages of a batch that `from` commits, on behalf of the call `origin` if there is one.
 * @throws EnokiError `ENOKI_CALL_DEPTH`
 */
export function messagesOf(
  sends: readonly BatchSend[],
  from: FunctionName,
  origin: SendOrigin | undefined,
): OutboxMessage[] {
  return sends.map((send) => ({
    function: send.function,
    request: requestOf(send.data, origin ? passTrace(origin.headers, "") : ""),
    from,
    depth: depthBelow(origin, send.function),
    orderKey: send.orderKey ?? "",
    session: "",
  }));
}

/** What is stored of a message, before its first try. `sequence`: its place, if it has an order. */
export function entryOf(
  message: OutboxMessage,
  nowMs: number,
  sequence: number | undefined,
): StoredEntry {
  const { request, from, depth, orderKey, session } = message;
  return {
    function: message.function,
    request,
    createdAtMs: nowMs,
    tries: 0,
    notBeforeMs: nowMs,
    isDead: false,
    finishedAtMs: 0,
    lastError: undefined,
    ...(from !== undefined && { from }),
    ...(depth > 0 && { depth }),
    ...(session !== "" && { session }),
    ...(orderKey !== "" && { orderKey, sequence }),
  };
}

/** The call that a send makes: a POST of its data. */
function requestOf(data: TypedValue, headers: string): CallRequest {
  return {
    method: "POST",
    path: "",
    query: "",
    contentType: CONTENT_TYPES[data.tag] ?? "application/octet-stream",
    idempotencyKey: "",
    headers,
    body: data.bytes.length === 0 ? undefined : Buffer.from(data.bytes),
  };
}

const CONTENT_TYPES: Readonly<Record<number, string>> = {
  [TAG.str]: "text/plain; charset=utf-8",
  [TAG.json]: "application/json",
};
