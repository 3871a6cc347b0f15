import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { EnokiError } from "../../core/errors.js";
import type { CallRequest, CallResponse } from "../../functions/call.js";
import type { FunctionHost } from "../../functions/function-host.js";
import type { DataMarks } from "../../functions/sessions.js";
import type { FreshInvocationId } from "../../functions/invocation-ids.js";
import type { Logger } from "../../ports/logger.js";
import { knownError, problemResponse } from "../problem.js";
import { readBody } from "./body.js";
import { endEntry } from "./entry-span.js";
import { checkedKey, withValidStatus, type CallAnswer, type CallEntry } from "./call-entry.js";
import { readHead, type RequestHead } from "./request-head.js";
import { parseTarget, type RequestTarget } from "./request-target.js";

/** What the gateway answers for an invocation id. */
export type StoredOutcome =
  | { readonly state: "waiting"; readonly function: string }
  | {
      readonly state: "done";
      readonly function: string;
      readonly response: CallResponse | EnokiError;
      readonly marks: DataMarks;
    };

/** What the function port is built from. */
export interface FunctionPortOptions {
  readonly entry: CallEntry;
  /** Stores an asynchronous invocation and gives its id; rejects with an `EnokiError`. */
  readonly enqueue: (
    host: FunctionHost,
    fresh: FreshInvocationId,
    request: CallRequest,
    /** The token that came with it; `""` = none. */
    session: string,
  ) => Promise<string>;
  /** @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  readonly outcome: (id: string) => StoredOutcome;
  readonly bodyLimitBytes: number;
  /** How long a request may take to arrive; its answer has a deadline of its own. */
  readonly arrivalMs: number;
  readonly logger: Logger;
}

/** How long Node gives a request's head, and how often it looks. */
const HEAD_ARRIVAL_MS = 60_000;
const ARRIVAL_CHECK_MS = 30_000;
const RESERVED_PREFIX = "_";
const INVOCATIONS_PATH = "/_enoki/invocations/";
const ID_HEADER = "Enoki-Invocation-Id";
const SESSION_HEADER = "Enoki-Session";
const STALENESS_HEADER = "Enoki-Staleness-Ms";
const NO_MARKS: DataMarks = {};
/** Bodies up to this size leave in the same system call as their head. */
const JOINED_BODY_BYTES_MAX = 16 * 1024;
/** Headers that a function may not set itself: they belong to the connection. */
const CONNECTION_HEADERS = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "upgrade",
  "date",
]);

/**
 * The HTTP entry for calls: `ANY /<function>[/path]`.
 *
 * On the hot path nothing is awaited and no per-request closure chain is built: the request is cut,
 * handed to the function's host, and answered when its call is settled.
 */
export function createFunctionPort(options: FunctionPortOptions): Server {
  const { arrivalMs } = options;
  const limits = {
    requestTimeout: arrivalMs,
    headersTimeout: Math.min(HEAD_ARRIVAL_MS, arrivalMs),
    connectionsCheckingInterval: Math.min(ARRIVAL_CHECK_MS, arrivalMs),
  };
  const server = createServer(
    { ...limits, keepAlive: true, noDelay: true },
    (request, response) => {
      try {
        handle(options, request, response);
      } catch (error) {
        sendError(options, response, error);
      }
    },
  );
  return server;
}

function handle(
  options: FunctionPortOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const target = parseTarget(request.url ?? "/");
  const host = options.entry.find(target.name);
  if (!host) {
    request.resume();
    answerPlatform(options, request, response, target);
    return;
  }
  const head = readHead(request.rawHeaders, options.entry.isPublic(host));
  options.entry.authorize(host, head.authorization);
  if (!head.hasBody) {
    invoke(options, host, request, response, target, head, undefined);
    return;
  }
  const { announcedBytes } = head;
  readBody(request, { announcedBytes, sizeBytesMax: options.bodyLimitBytes }, (body) => {
    try {
      if (body instanceof EnokiError) throw body;
      invoke(options, host, request, response, target, head, body.length === 0 ? undefined : body);
    } catch (error) {
      sendError(options, response, error);
    }
  });
}

function invoke(
  options: FunctionPortOptions,
  host: FunctionHost,
  request: IncomingMessage,
  response: ServerResponse,
  target: RequestTarget,
  head: RequestHead,
  body: Buffer | undefined,
): void {
  const { entry } = options;
  const fresh = entry.admit();
  const callRequest: CallRequest = {
    method: request.method ?? "GET",
    path: target.path,
    query: target.query,
    contentType: head.contentType,
    idempotencyKey: checkedKey(head.idempotencyKey),
    headers: head.joined,
    body,
  };
  const session = entry.readSession(head.session);
  if (head.isAsync) {
    accept(options, host, response, fresh, callRequest, head.session);
    return;
  }
  const call = entry.begin(
    { protocol: "http", host, fresh, request: callRequest, timeoutMs: head.timeoutMs, session },
    (answer) => sendAnswer(options, response, answer),
  );
  response.once("close", () => call.leave());
}

function sendAnswer(
  options: FunctionPortOptions,
  response: ServerResponse,
  { id, outcome, marks }: CallAnswer,
): void {
  if (outcome instanceof EnokiError) sendError(options, response, outcome, id, marks);
  else sendResult(response, outcome, id, marks);
}

function accept(
  options: FunctionPortOptions,
  host: FunctionHost,
  response: ServerResponse,
  fresh: FreshInvocationId,
  asked: CallRequest,
  session: string,
): void {
  const { span, request } = options.entry.beginLater(host, asked);
  options.enqueue(host, fresh, request, session).then(
    (id) => {
      span?.set({ "enoki.invocation_id": id, "http.response.status_code": 202 });
      span?.end();
      response.writeHead(202, [
        ID_HEADER,
        id,
        "Location",
        INVOCATIONS_PATH + id,
        "Content-Length",
        "0",
      ]);
      response.end();
    },
    (error: unknown) => {
      const known = knownError(error, options.logger);
      if (span) endEntry(span, known);
      sendError(options, response, known);
    },
  );
}

/** Everything on this port that is no function. */
function answerPlatform(
  options: FunctionPortOptions,
  request: IncomingMessage,
  response: ServerResponse,
  target: RequestTarget,
): void {
  if (target.name === "") {
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
    response.end("Enoki: call a function at /<name>\n");
    return;
  }
  const authorization = request.headers.authorization ?? "";
  options.entry.authorize(undefined, authorization);
  const url = `/${target.name}${target.path}`;
  if (!url.startsWith(INVOCATIONS_PATH)) {
    throw target.name.startsWith(RESERVED_PREFIX)
      ? new EnokiError("ENOKI_NOT_FOUND", `there is nothing at ${url.slice(0, 100)}`)
      : options.entry.notFound(target.name);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    throw new EnokiError("ENOKI_METHOD_NOT_ALLOWED", `results are read with GET`);
  }
  const id = url.slice(INVOCATIONS_PATH.length);
  const outcome = options.outcome(id);
  options.entry.authorize(options.entry.find(outcome.function), authorization);
  if (outcome.state === "waiting") {
    response.writeHead(202, [ID_HEADER, id, "Retry-After", "1", "Content-Length", "0"]);
    response.end();
    return;
  }
  const { marks, response: stored } = outcome;
  sendAnswer(options, response, { id, outcome: withValidStatus(stored), marks });
}

function sendResult(
  response: ServerResponse,
  result: CallResponse,
  id: string,
  { session, staleness }: DataMarks,
): void {
  if (response.headersSent || response.destroyed) return;
  const { body, contentType, status } = result;
  const headers: string[] = [ID_HEADER, id];
  if (session !== undefined) headers.push(SESSION_HEADER, session);
  if (staleness !== undefined) headers.push(STALENESS_HEADER, staleness);
  if (contentType !== "") headers.push("Content-Type", contentType);
  if (result.headers !== "") pushHeaders(headers, result.headers);
  // 204 and 304 have no body by definition; a length would break the framing of some clients.
  if (status !== 204 && status !== 304) headers.push("Content-Length", String(body.length));
  try {
    response.writeHead(status, headers);
    // As text in one byte per character, Node joins head and body into one write.
    if (body.length <= JOINED_BODY_BYTES_MAX) response.end(body.toString("latin1"), "latin1");
    else response.end(body);
  } catch {
    // A header that HTTP does not allow; Node checks them in writeHead, before anything is sent.
    const { headers: problemHeaders, body: problem } = problemResponse(
      new EnokiError(
        "ENOKI_INVALID_RESULT",
        "the function returned a header that HTTP does not allow",
      ),
    );
    response.writeHead(500, { ...problemHeaders, [ID_HEADER]: id });
    response.end(problem);
  }
}

function pushHeaders(headers: string[], joined: string): void {
  const parts = joined.split("\0");
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const name = parts[i] as string;
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) headers.push(name, parts[i + 1] as string);
  }
}

function sendError(
  options: FunctionPortOptions,
  response: ServerResponse,
  error: unknown,
  id?: string,
  { session, staleness }: DataMarks = NO_MARKS,
): void {
  if (response.headersSent || response.destroyed) return;
  const { status, headers, body } = problemResponse(knownError(error, options.logger));
  response.writeHead(status, {
    ...headers,
    ...(id !== undefined && { [ID_HEADER]: id }),
    ...(session !== undefined && { [SESSION_HEADER]: session }),
    ...(staleness !== undefined && { [STALENESS_HEADER]: staleness }),
  });
  response.end(body);
}
