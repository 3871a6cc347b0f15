import { setMaxListeners } from "node:events";

import {
  decodeCall,
  encodeCallReply,
  encodeSendReply,
  type CallOperation,
} from "../../channel/call-operations.js";
import { ChannelError, OPERATION, type FrameWriter } from "../../channel/frames.js";
import { operationKind } from "../../channel/operations.js";
import { encodeErrorReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Session } from "../../core/session.js";
import { passTrace } from "../../core/trace-context.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Span, Tracer } from "../../ports/tracer.js";
import type { Call, CallRequest, CallResponse } from "../call.js";
import type { FreshInvocationId } from "../invocation-ids.js";
import { failureOf } from "../invocation-spans.js";
import type { SentMessage } from "../outbox/outbox-message.js";
import type { FunctionSessions } from "../sessions.js";
import { startSpan, traceFields } from "../traced-headers.js";
import { depthBelow } from "./call-depth.js";
import type { CallEnd, CallOrder } from "./call-order.js";
import type { CallServer } from "./calls-port.js";
import type { FunctionCalls } from "./function-calls.js";

/** What the calls of an instance go by. */
export interface InstanceCallsOptions {
  /** The function that calls. */
  readonly caller: FunctionName;
  readonly calls: FunctionCalls;
  /** Takes what is sent. */
  readonly outbox: {
    submit(
      message: SentMessage,
      accepted: (id: string) => void,
      refused: (error: unknown) => void,
    ): void;
  };
  readonly sessions: FunctionSessions;
  readonly nextId: () => FreshInvocationId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
}

/** What is told of the body of an answer that is an error. */
const ERROR_BODY_BYTES_MAX = 64 * 1024;
const ERROR_TEXT_MAX = 200;
const METHOD = /^[A-Z]{1,20}$/;
const PATH = /^(?:\/[\x21-\x7e]*)?$/;
const QUERY = /^[\x21-\x7e]*$/;

/**
 * The calls that one instance makes of other functions. With each goes what its caller has: the time
 * that is left, what it has seen, its trace and its depth; what the callee has seen comes back.
 */
export class InstanceCalls implements CallServer {
  readonly #options: InstanceCallsOptions;
  readonly #closing = new AbortController();

  constructor(options: InstanceCallsOptions) {
    this.#options = options;
    // One per call that is under way.
    setMaxListeners(0, this.#closing.signal);
  }

  serve(writer: FrameWriter, id: number, caller: Call | undefined, payload: Buffer): void {
    const kind = operationKind(payload);
    if (kind > OPERATION.send) throw new ChannelError(`unknown operation ${kind}`);
    const operation = decodeCall(payload);
    try {
      if (kind === OPERATION.send) this.#send(writer, id, operation, caller);
      else this.#answerCall(writer, id, operation, caller);
    } catch (error) {
      this.#refuse(writer, id, error);
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /** @throws EnokiError rejects with what the caller is told */
  async #call(operation: CallOperation, caller: Call | undefined): Promise<CallResponse> {
    const { calls, tracer } = this.#options;
    let order = this.#orderOf(operation, caller);
    let span: Span | undefined;
    if (tracer.isOn) ({ order, span } = startCall(tracer, order));
    // What leaves this node must not be lost with it.
    if (order.session) await this.#kept();
    const end = await calls.call(order, this.#closing.signal);
    span?.end(failureOf(end.outcome));
    noteEnd(caller, end);
    const { outcome } = end;
    if (outcome instanceof EnokiError) throw outcome;
    if (outcome.status >= 200 && outcome.status < 300) return outcome;
    throw statusError(operation.function, outcome);
  }

  #answerCall(
    writer: FrameWriter,
    id: number,
    operation: CallOperation,
    caller: Call | undefined,
  ): void {
    this.#call(operation, caller).then(
      (response) => this.#answer(writer, id, response),
      (error: unknown) => this.#refuse(writer, id, error, caller),
    );
  }

  /** @throws EnokiError */
  #send(writer: FrameWriter, id: number, operation: CallOperation, caller: Call | undefined): void {
    const { outbox, sessions, tracer, caller: from } = this.#options;
    const { orderKey } = operation;
    require(Buffer.byteLength(orderKey) <=
      LIMITS.idempotencyKeyBytesMax, "orderKey", `an order key has at most ${LIMITS.idempotencyKeyBytesMax} bytes`);
    const session = this.#seen(caller);
    let message: SentMessage = {
      function: operation.function,
      request: requestOf(operation, caller),
      from,
      depth: depthBelow(caller, operation.function),
      orderKey,
      session: session === undefined ? "" : sessions.write(from, session),
    };
    let span: Span | undefined;
    if (tracer.isOn) ({ message, span } = startSend(tracer, message));
    outbox.submit(
      message,
      (invocation) => {
        span?.set({ "messaging.message.id": invocation });
        span?.end();
        if (!this.#closing.signal.aborted) encodeSendReply(writer, id, invocation);
      },
      (error) => {
        span?.end(error instanceof EnokiError ? error.code : "ENOKI_INTERNAL");
        this.#refuse(writer, id, error);
      },
    );
  }

  #orderOf(operation: CallOperation, caller: Call | undefined): CallOrder {
    const { clock, nextId } = this.#options;
    const leftMs = caller && Math.max(0, caller.deadlineMs - clock.monotonicMs());
    const askedMs = operation.timeoutMs === 0 ? undefined : operation.timeoutMs;
    return {
      id: nextId().id,
      function: operation.function,
      request: requestOf(operation, caller),
      timeoutMs: least(leftMs, askedMs),
      depth: depthBelow(caller, operation.function),
      session: this.#seen(caller),
      isQueued: false,
    };
  }

  #seen(caller: Call | undefined): Session | undefined {
    const { sessions, caller: name } = this.#options;
    return sessions.seenAfter(name, caller ?? { session: undefined, isElsewhere: false });
  }

  #kept(): Promise<void> {
    const { sessions, caller } = this.#options;
    return new Promise((resolve) => {
      sessions.whenKept(caller, resolve);
    });
  }

  #answer(writer: FrameWriter, id: number, response: CallResponse): void {
    if (this.#closing.signal.aborted) return;
    try {
      encodeCallReply(writer, id, response);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.#refuse(writer, id, new EnokiError("ENOKI_OUTPUT_TOO_LARGE", error.message));
    }
  }

  #refuse(writer: FrameWriter, id: number, error: unknown, caller?: Call): void {
    if (this.#closing.signal.aborted) return;
    if (error instanceof EnokiError) {
      const { code, message, extra } = error;
      encodeErrorReply(writer, id, { ...extra, code, message });
      return;
    }
    const text = error instanceof Error ? error.stack : String(error);
    const by = caller && { id: caller.id, ...traceFields(caller.request.headers) };
    this.#options.logger.error({ error: text, ...by }, "a call between functions failed");
    encodeErrorReply(writer, id, { code: "ENOKI_INTERNAL", message: "the node has a bug" });
  }
}

/** Begins the span of a call, from its caller's side. */
function startCall(
  tracer: Tracer,
  order: CallOrder,
): { readonly order: CallOrder; readonly span: Span | undefined } {
  const { id, function: name, request } = order;
  const { span, headers } = startSpan(tracer, request.headers, {
    name: `call ${name}`,
    kind: "client",
    attributes: {
      "faas.invoked_name": name,
      "faas.invoked_provider": "enoki",
      "enoki.invocation_id": id,
    },
  });
  return { order: { ...order, request: { ...request, headers } }, span };
}

/** Begins the span of a send, which ends when the message is stored. */
function startSend(
  tracer: Tracer,
  message: SentMessage,
): { readonly message: SentMessage; readonly span: Span | undefined } {
  const { function: name, request } = message;
  const { span, headers } = startSpan(tracer, request.headers, {
    name: `send ${name}`,
    kind: "producer",
    attributes: {
      "messaging.system": "enoki",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": name,
    },
  });
  return { message: { ...message, request: { ...request, headers } }, span };
}

/** What the callee has seen and read, its caller has, too. */
function noteEnd(caller: Call | undefined, { session, stalenessMs }: CallEnd): void {
  if (session) caller?.noteSeen(session);
  if (stalenessMs !== undefined) caller?.noteRead(stalenessMs);
}

function least(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.min(left, right);
}

/** @throws EnokiError `ENOKI_INVALID_INPUT` */
function requestOf(operation: CallOperation, caller: Call | undefined): CallRequest {
  const { method, path, query, contentType, idempotencyKey, headers, body } = operation;
  require(METHOD.test(method), "method", "a method is upper-case letters, as POST");
  require(PATH.test(path), "path", "a path begins with / and is percent-encoded");
  require(QUERY.test(query), "path", "a query is percent-encoded");
  require(Buffer.byteLength(idempotencyKey) <=
    LIMITS.idempotencyKeyBytesMax, "idempotencyKey", `an idempotency key has at most ${LIMITS.idempotencyKeyBytesMax} bytes`);
  require((body?.length ?? 0) <=
    LIMITS.requestBodyBytesMax, "data", `the data of a call have at most ${LIMITS.requestBodyBytesMax} bytes`);
  require(headers.split("\0").length % 2 === 1, "headers", "headers are pairs");
  return {
    method,
    path,
    query,
    contentType,
    idempotencyKey,
    headers: caller ? passTrace(caller.request.headers, headers) : headers,
    // why copied: a small body would keep the whole chunk alive that it came in.
    body: body && Buffer.from(body),
  };
}

function require(isRight: boolean, field: string, detail: string): void {
  if (!isRight) throw new EnokiError("ENOKI_INVALID_INPUT", `${field}: ${detail}`, { field });
}

/** What is told of an answer that is no success. */
function statusError(name: string, { status, contentType, body }: CallResponse): EnokiError {
  const isShown = body.length <= ERROR_BODY_BYTES_MAX && !/octet-stream/.test(contentType);
  const text = isShown ? body.toString("utf8") : "";
  const shown = text === "" ? "" : `: ${text.slice(0, ERROR_TEXT_MAX)}`;
  const detail = `"${name}" answered with ${status}${shown}`;
  return new EnokiError("ENOKI_CALL_STATUS", detail, { status, contentType, body: text });
}
