import { EnokiError, isErrorCode } from "../core/errors.js";
import type { LinkLane } from "../ports/links.js";
import { REQUEST_MESSAGE } from "./router.js";

/** Types of messages about requests. `docs/internals/protocol.md` explains them. Never change one. */
export const REQUEST_TYPE = {
  request: 1,
  reply: 2,
  error: 3,
  cancel: 4,
  chunk: 5,
  end: 6,
  credit: 7,
} as const;

/** What a stream may send ahead of its reader. */
export const WINDOW_BYTES = 1024 * 1024;
/** Largest piece of a stream. */
export const CHUNK_BYTES_MAX = 128 * 1024;

const LANES: readonly LinkLane[] = ["control", "update", "bulk"];
const HEAD_BYTES = 6;
/** Lane of the answer, flags, method, time. */
const REQUEST_BYTES = 8;
const STREAM_FLAG = 1;
const ERROR_TEXT_MAX = 4096;

/** What asks another node for something. */
export interface RequestHead {
  /** What is asked for: a number that both sides know. */
  readonly method: number;
  /** Lane of the answer. */
  readonly lane: LinkLane;
  readonly timeoutMs: number;
  readonly isStream: boolean;
}

/** A message about a request, read. */
export interface RequestFrame {
  readonly type: number;
  readonly id: number;
  /** What follows the head. */
  readonly body: Uint8Array;
}

/** Writes a message with that body. */
export function encodeFrame(type: number, id: number, body: Uint8Array = EMPTY): Uint8Array {
  const frame = begin(type, id, HEAD_BYTES + body.length);
  frame.set(body, HEAD_BYTES);
  return frame;
}

const EMPTY = new Uint8Array(0);

/** Writes a request. */
export function encodeRequest(id: number, head: RequestHead, body: Uint8Array): Uint8Array {
  const frame = begin(REQUEST_TYPE.request, id, HEAD_BYTES + REQUEST_BYTES + body.length);
  frame[HEAD_BYTES] = LANES.indexOf(head.lane);
  frame[HEAD_BYTES + 1] = head.isStream ? STREAM_FLAG : 0;
  frame.writeUInt16LE(head.method, HEAD_BYTES + 2);
  frame.writeUInt32LE(Math.min(Math.ceil(head.timeoutMs), 0xffff_ffff), HEAD_BYTES + 4);
  frame.set(body, HEAD_BYTES + REQUEST_BYTES);
  return frame;
}

/** Writes how much more a stream may send. */
export function encodeCredit(id: number, sizeBytes: number): Uint8Array {
  const frame = begin(REQUEST_TYPE.credit, id, HEAD_BYTES + 4);
  frame.writeUInt32LE(sizeBytes, HEAD_BYTES);
  return frame;
}

/** Writes an error as its code and message. What is none of ours stays here as a bug. */
export function encodeError(id: number, error: unknown): Uint8Array {
  const { code, message } =
    error instanceof EnokiError
      ? error
      : { code: "ENOKI_INTERNAL", message: "the node that was asked has a bug; see its log" };
  const text = JSON.stringify({ code, message: message.slice(0, ERROR_TEXT_MAX) });
  return encodeFrame(REQUEST_TYPE.error, id, Buffer.from(text));
}

/** Reads a message. @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeFrame(payload: Uint8Array): RequestFrame {
  if (payload.length < HEAD_BYTES) throw malformed("a message about a request is too short");
  const id = view(payload).getUint32(2, true);
  return { type: payload[1] as number, id, body: payload.subarray(HEAD_BYTES) };
}

/** Reads the body of a request. @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeRequest(body: Uint8Array): RequestHead & { readonly body: Uint8Array } {
  const lane = LANES[body[0] ?? LANES.length];
  if (body.length < REQUEST_BYTES || lane === undefined) throw malformed("a malformed request");
  const fields = view(body);
  return {
    lane,
    isStream: body[1] === STREAM_FLAG,
    method: fields.getUint16(2, true),
    timeoutMs: fields.getUint32(4, true),
    body: body.subarray(REQUEST_BYTES),
  };
}

/** Reads how much more may be sent. @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeCredit(body: Uint8Array): number {
  if (body.length !== 4) throw malformed("a malformed credit");
  return view(body).getUint32(0, true);
}

/** Reads an error of another node, whatever it sent. */
export function decodeError(body: Uint8Array): EnokiError {
  try {
    const given = JSON.parse(Buffer.from(body).toString("utf8")) as {
      code?: unknown;
      message?: unknown;
    } | null;
    const message = String(given?.message ?? "").slice(0, ERROR_TEXT_MAX);
    if (isErrorCode(given?.code)) return new EnokiError(given.code, message);
    const code = String(given?.code).slice(0, 64);
    return new EnokiError("ENOKI_INTERNAL", `another node failed with ${code}: ${message}`);
  } catch {
    return malformed("another node failed and did not say why");
  }
}

/** The peer broke the rules. */
export function malformed(detail: string): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", detail);
}

function begin(type: number, id: number, sizeBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(sizeBytes);
  frame[0] = REQUEST_MESSAGE;
  frame[1] = type;
  frame.writeUInt32LE(id, 2);
  return frame;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
