import { Buffer } from "node:buffer";

import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../../core/ids.js";
import {
  decodeTrace,
  encodeTrace,
  TRACE_BYTES,
  type TraceContext,
} from "../../core/trace-context.js";

/** Number of the request that carries an operation of a function to a replica on another node. */
export const OPERATION_METHOD = 32;
/** Number of the request for the changes that a watch of a function reports: a stream. */
export const WATCH_METHOD = 40;

/** An operation as an instance asked for it, and where it belongs. */
export interface OperationRequest {
  readonly keygroup: KeygroupName;
  /** 16 bytes of the invocation that asks; `undefined` outside a call. */
  readonly invocation: Uint8Array | undefined;
  /** Calls and sends above that; `undefined` outside a call. */
  readonly depth?: number | undefined;
  /** The span that asks; absent where that is not recorded. */
  readonly trace?: TraceContext | undefined;
  /** What the client of that has seen of the keygroup, as a token; `""` = nothing. */
  readonly session: string;
  /** Payload of the OPERATION frame. */
  readonly payload: Buffer;
}

/** What became of it. */
export interface OperationAnswer {
  /** Type and payload of the frame that an instance there would get. */
  readonly type: number;
  readonly payload: Buffer;
  /** How stale what was read may be; `undefined` = nothing was read. */
  readonly stalenessMs: number | undefined;
  /** What a client has seen that has got this answer, as a token; `""` = nothing to remember. */
  readonly session: string;
}

/** With u8 depth behind it. */
const INVOCATION_BYTES = 17;
/** Of the invocation, the trace, or both. */
const ID_LENGTHS = new Set([0, INVOCATION_BYTES, TRACE_BYTES, INVOCATION_BYTES + TRACE_BYTES]);
/** u8 type, f64 staleness, u16 length of the token. */
const ANSWER_HEAD_BYTES = 11;

/**
 * u8 length and keygroup, u8 length and invocation (16 bytes and u8 depth), with the trace behind it if
 * there is one, u16 length and token, payload.
 */
export function encodeOperation(request: OperationRequest): Uint8Array {
  const { keygroup, invocation, depth = 0, trace, session, payload } = request;
  const name = Buffer.from(keygroup, "latin1");
  const asker = invocation ? [invocation, Buffer.of(depth)] : [];
  const id = Buffer.concat([...asker, ...(trace ? [encodeTrace(trace)] : [])]);
  const head = [Buffer.of(name.length), name, Buffer.of(id.length), id];
  return Buffer.concat([...head, sized(session), payload]);
}

/** @throws EnokiError `ENOKI_PROTOCOL`, `ENOKI_INVALID_NAME` */
export function decodeOperation(body: Uint8Array): OperationRequest {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const nameEnd = 1 + (bytes[0] ?? 0);
  const idLength = bytes[nameEnd];
  if (idLength === undefined || !ID_LENGTHS.has(idLength)) {
    throw new EnokiError("ENOKI_PROTOCOL", "an operation of another node is malformed");
  }
  const tokenAt = nameEnd + 1 + idLength;
  if (tokenAt + 2 > bytes.length) throw cutShort();
  const payloadAt = tokenAt + 2 + bytes.readUInt16LE(tokenAt);
  if (payloadAt > bytes.length) throw cutShort();
  const invocationEnd = nameEnd + 1 + (idLength % TRACE_BYTES);
  const hasTrace = idLength >= TRACE_BYTES;
  return {
    keygroup: parseKeygroupName(bytes.toString("latin1", 1, nameEnd)),
    ...(invocationEnd === nameEnd + 1
      ? { invocation: undefined }
      : {
          invocation: bytes.subarray(nameEnd + 1, invocationEnd - 1),
          depth: bytes[invocationEnd - 1],
        }),
    trace: hasTrace ? decodeTrace(bytes.subarray(invocationEnd, tokenAt)) : undefined,
    session: bytes.toString("latin1", tokenAt + 2, payloadAt),
    payload: bytes.subarray(payloadAt),
  };
}

/** u8 type, f64 staleness in ms (NaN = nothing was read), u16 length and token, payload. */
export function encodeAnswer({ type, payload, stalenessMs, session }: OperationAnswer): Uint8Array {
  const head = Buffer.alloc(ANSWER_HEAD_BYTES - 2);
  head[0] = type;
  head.writeDoubleLE(stalenessMs ?? Number.NaN, 1);
  return Buffer.concat([head, sized(session), payload]);
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeAnswer(body: Uint8Array): OperationAnswer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (bytes.length < ANSWER_HEAD_BYTES) throw cutShort();
  const payloadAt = ANSWER_HEAD_BYTES + bytes.readUInt16LE(ANSWER_HEAD_BYTES - 2);
  if (payloadAt > bytes.length) throw cutShort();
  const stalenessMs = bytes.readDoubleLE(1);
  return {
    type: bytes[0] as number,
    stalenessMs: Number.isNaN(stalenessMs) ? undefined : stalenessMs,
    session: bytes.toString("latin1", ANSWER_HEAD_BYTES, payloadAt),
    payload: bytes.subarray(payloadAt),
  };
}

function sized(token: string): Buffer {
  const bytes = Buffer.from(`\0\0${token}`, "latin1");
  bytes.writeUInt16LE(token.length);
  return bytes;
}

function cutShort(): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", "an operation of another node is cut short");
}
