import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";

import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";
import type { CallRequest } from "../../functions/call.js";
import type { Logger } from "../../ports/logger.js";
import {
  checkedKey,
  type CallAnswer,
  type CallEntry,
  type EntryCall,
} from "../functions/call-entry.js";
import { readHead } from "../functions/request-head.js";
import { knownError, retryAfterS } from "../problem.js";
import { frameMessage, MessageReader } from "./framing.js";
import { decodeRequest, encodeResponse } from "./messages.js";
import {
  encodeStatusMessage,
  parseGrpcTimeoutMs,
  STATUS,
  statusOf,
  statusOfError,
} from "./status.js";

/** What the gRPC port is built from. */
export interface GrpcPortOptions {
  readonly entry: CallEntry;
  readonly bodyLimitBytes: number;
  /** How long a call may take to arrive. */
  readonly arrivalMs: number;
  readonly logger: Logger;
}

/** A gRPC server; it does not listen yet. */
export interface GrpcPort {
  readonly server: Http2Server;
  /** Takes nothing new, lets running calls end, and cuts what is left after `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

const METHOD_PATH = "/openfogstack.tinyfaas.tinyfaas.TinyFaaS/Request";
const CONTENT_TYPE = "application/grpc";
/** Tags, lengths and the function's name, beside the data. */
const MESSAGE_ROOM_BYTES = 1024;
const STATUS_TEXT_CHARACTERS_MAX = 1024;
/** Node's default of 10 is less than one answer. */
const SESSION_MEMORY_MIB = 64;
/** Headers of HTTP/2 and of gRPC itself, which are no metadata. */
const NO_METADATA = /^(?::|grpc-|te$|content-type$|content-length$)/;

/** Takes calls over gRPC, tinyFaaS's way: one unary method, the function's name in the message. */
export function createGrpcPort(options: GrpcPortOptions): GrpcPort {
  const server = createServer({
    maxSessionMemory: SESSION_MEMORY_MIB,
    settings: {
      maxConcurrentStreams: LIMITS.grpcCallsPerConnectionMax,
      maxHeaderListSize: LIMITS.grpcMetadataBytesMax,
    },
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  // What is no HTTP/2 ends its own connection, and that is all.
  server.on("sessionError", () => {});
  server.on("stream", (stream, headers) => serveStream(options, stream, headers));
  return {
    server,
    close: async (timeoutMs) => {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, timeoutMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function serveStream(
  options: GrpcPortOptions,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): void {
  // A caller that goes away resets its stream.
  stream.on("error", () => {});
  const refuse = (error: unknown): void => sendError(stream, knownError(error, options.logger));
  if (!isGrpc(headers)) {
    stream.respond({ ":status": 415, "content-type": "text/plain" });
    stream.end("Enoki: this port speaks gRPC\n");
    stream.resume();
    return;
  }
  if (headers[":path"] !== METHOD_PATH || headers[":method"] !== "POST") {
    refuse(new EnokiError("ENOKI_UNSUPPORTED", `this node has no method but ${METHOD_PATH}`));
    return;
  }
  const reader = new MessageReader(options.bodyLimitBytes + MESSAGE_ROOM_BYTES);
  const timer = setTimeout(() => {
    refuse(new EnokiError("ENOKI_TIMEOUT", "the call took too long to arrive"));
  }, options.arrivalMs);
  stream.once("close", () => clearTimeout(timer));
  stream.on("data", (chunk: Buffer) => {
    if (stream.headersSent) return;
    try {
      reader.push(chunk);
    } catch (error) {
      refuse(error);
    }
  });
  stream.once("end", () => {
    clearTimeout(timer);
    if (stream.headersSent || stream.destroyed) return;
    try {
      call(options, stream, headers, reader.end());
    } catch (error) {
      refuse(error);
    }
  });
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return /^application\/grpc(?:\+proto)?(?:;|$)/.test(headers["content-type"] ?? "");
}

function call(
  options: GrpcPortOptions,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  message: Buffer,
): void {
  const { entry, bodyLimitBytes } = options;
  const { functionIdentifier, data } = decodeRequest(message);
  const isPublic = entry.isPublic(entry.find(functionIdentifier));
  const head = readHead(metadataOf(headers), isPublic);
  const host = entry.allowedHost(functionIdentifier, head.authorization);
  if (data.length > bodyLimitBytes) {
    throw new EnokiError("ENOKI_BODY_TOO_LARGE", `a body may have ${bodyLimitBytes} bytes`);
  }
  const fresh = entry.admit();
  const request: CallRequest = {
    method: "POST",
    path: "",
    query: "",
    contentType: "",
    idempotencyKey: checkedKey(head.idempotencyKey),
    headers: head.joined,
    body: data.length === 0 ? undefined : data,
  };
  const timeoutMs = deadlineMs(headers) ?? head.timeoutMs;
  const session = entry.readSession(head.session);
  const call: EntryCall = { protocol: "grpc", host, fresh, request, timeoutMs, session };
  const entered = entry.begin(call, (answer) => sendAnswer(stream, answer, options.logger));
  stream.once("close", () => entered.leave());
}

/** Names and values in turn, as HTTP/1 has them. */
function metadataOf(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    NO_METADATA.test(name) || value === undefined ? [] : [name, String(value)],
  );
}

/** How long the caller waits. @throws EnokiError `ENOKI_INVALID_INPUT` */
function deadlineMs(headers: IncomingHttpHeaders): number | undefined {
  const text = headers["grpc-timeout"];
  if (text === undefined) return undefined;
  const timeoutMs = parseGrpcTimeoutMs(String(text));
  if (timeoutMs !== undefined) return Math.min(timeoutMs, LIMITS.longestWaitMs);
  throw new EnokiError("ENOKI_INVALID_INPUT", "grpc-timeout is no time such as 100m");
}

function sendAnswer(
  stream: ServerHttp2Stream,
  { id, outcome, marks }: CallAnswer,
  logger: Logger,
): void {
  const about: OutgoingHttpHeaders = {
    "enoki-invocation-id": id,
    ...(marks.session !== undefined && { "enoki-session": marks.session }),
    ...(marks.staleness !== undefined && { "enoki-staleness-ms": marks.staleness }),
  };
  if (outcome instanceof EnokiError) {
    sendError(stream, outcome, about);
    return;
  }
  const status = statusOf(outcome.status);
  if (status !== STATUS.ok) {
    const text = outcome.body.toString("utf8").slice(0, STATUS_TEXT_CHARACTERS_MAX);
    sendStatus(stream, status, text, { ...about, "enoki-status": outcome.status });
    return;
  }
  try {
    sendMessage(stream, encodeResponse(outcome.body), about);
  } catch (error) {
    sendError(stream, knownError(error, logger), about);
  }
}

function sendMessage(stream: ServerHttp2Stream, message: Buffer, about: OutgoingHttpHeaders): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond(
    { ":status": 200, "content-type": CONTENT_TYPE, ...about },
    { waitForTrailers: true },
  );
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frameMessage(message));
}

function sendError(
  stream: ServerHttp2Stream,
  error: EnokiError,
  about: OutgoingHttpHeaders = {},
): void {
  const afterS = retryAfterS(error);
  sendStatus(stream, statusOfError(error), `${error.code}: ${error.message}`, {
    ...about,
    "enoki-code": error.code,
    ...(afterS !== undefined && { "retry-after": String(afterS) }),
  });
}

/** An answer that is a status alone. What the caller still sends is not waited for. */
function sendStatus(
  stream: ServerHttp2Stream,
  status: number,
  text: string,
  about: OutgoingHttpHeaders,
): void {
  if (stream.headersSent || stream.destroyed) return;
  const headers: OutgoingHttpHeaders = {
    ":status": 200,
    "content-type": CONTENT_TYPE,
    "grpc-accept-encoding": "identity",
    ...about,
    "grpc-status": status,
    "grpc-message": encodeStatusMessage(text),
  };
  stream.respond(headers, { endStream: true });
  if (stream.readableEnded) return;
  stream.resume();
  stream.close(constants.NGHTTP2_NO_ERROR);
}
