import { FRAME, OPERATION, REPLY_STATUS } from "./frames.js";
import type { FrameWriter } from "./frame-writer.js";
import { decodeResult, encodeResultBody, type InvokeRequest, type ResultView } from "./invoke.js";
import { OPERATION_HEADER_BYTES, operationKind } from "./operations.js";
import { PayloadReader } from "./payload.js";
import { REPLY_AT } from "./replies.js";

/** A call of another function, or a message to one, as an instance asks for it. */
export interface CallOperation extends InvokeRequest {
  /** Name of the function. */
  readonly function: string;
  /** Longest wait in milliseconds; 0 = as long as the caller has. Of a send always 0. */
  readonly timeoutMs: number;
  /** Sends with one key are delivered in their order; `""` = none. Of a call always `""`. */
  readonly orderKey: string;
}

/** True for an OPERATION that is not about a keygroup: {@link decodeCall} reads it. */
export function isCallOperation(payload: Buffer): boolean {
  const kind = operationKind(payload);
  return kind === OPERATION.call || kind === OPERATION.send;
}

/** Writes a `call` or a `send`; `body` may be text. @throws ChannelError for what no frame holds */
export function encodeCall(
  writer: FrameWriter,
  id: number,
  callId: number,
  kind: typeof OPERATION.call | typeof OPERATION.send,
  call: Omit<CallOperation, "body"> & { readonly body: Uint8Array | string | undefined },
): void {
  writer.begin(FRAME.operation, id);
  writer.u32(callId);
  writer.u8(kind);
  writer.u32(call.timeoutMs);
  writer.text(call.function);
  writer.text(call.method);
  writer.text(call.path);
  writer.text(call.query);
  writer.text(call.contentType);
  writer.text(call.idempotencyKey);
  writer.text(call.orderKey);
  writer.text(call.headers);
  if (typeof call.body === "string") writer.utf8(call.body);
  else if (call.body) writer.bytes(call.body);
  writer.end();
}

/** Reads a `call` or a `send`; the body is not copied. @throws ChannelError */
export function decodeCall(payload: Buffer): CallOperation & { readonly body: Buffer | undefined } {
  const reader = new PayloadReader(payload, OPERATION_HEADER_BYTES);
  const timeoutMs = reader.u32();
  const [name, method, path, query] = [reader.text(), reader.text(), reader.text(), reader.text()];
  const [contentType, idempotencyKey] = [reader.text(), reader.text()];
  const [orderKey, headers] = [reader.text(), reader.text()];
  const body = reader.rest();
  return {
    function: name,
    timeoutMs,
    orderKey,
    method,
    path,
    query,
    contentType,
    idempotencyKey,
    headers,
    body: body.length === 0 ? undefined : body,
  };
}

/** Answers a `call` with what the function returned. @throws ChannelError if no frame holds it */
export function encodeCallReply(writer: FrameWriter, id: number, result: ResultView): void {
  writer.begin(FRAME.reply, id);
  writer.u8(REPLY_STATUS.ok);
  const { status, contentType, headers, body } = result;
  encodeResultBody(writer, status, contentType, headers, body);
  writer.end();
}

/** Reads the reply to a `call`; the body is not copied. @throws ChannelError */
export function decodeCallReply(payload: Buffer): ResultView {
  return decodeResult(payload.subarray(REPLY_AT));
}

/** Answers a `send` with the id of its invocation. */
export function encodeSendReply(writer: FrameWriter, id: number, invocation: string): void {
  writer.begin(FRAME.reply, id);
  writer.u8(REPLY_STATUS.ok);
  writer.utf8(invocation);
  writer.end();
}

/** Reads the reply to a `send`: the id of the invocation. */
export function decodeSendReply(payload: Buffer): string {
  return payload.toString("utf8", REPLY_AT);
}
