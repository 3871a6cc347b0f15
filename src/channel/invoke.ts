import { FRAME, INVOKE_FLAG, RESULT_READ_FLAG } from "./frames.js";
import type { FrameWriter } from "./frame-writer.js";
import { ChannelError, expectProtocol, readU16, readU32, writeU16, writeU32 } from "./payload.js";

/** What a caller sent, in the form in which it travels to the instance. */
export interface InvokeRequest {
  readonly method: string;
  /** What follows the function's name, percent-encoded: `""` or `"/…"`. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  readonly contentType: string;
  readonly idempotencyKey: string;
  /** See {@link joinHeaders}. */
  readonly headers: string;
  /** `undefined` or empty: the call has no body. */
  readonly body: Uint8Array | undefined;
}

// u32 timeout, u8 flags, 16 bytes id, 5 × u16 and u32 lengths.
const TIMEOUT_AT = 0;
const FLAGS_AT = 4;
const ID_AT = 5;
const ID_END = 21;
const LENGTHS_AT = 21;
const HEADERS_LENGTH_AT = 31;
const TEXTS_AT = 35;
const RESULT_TEXTS_AT = 8;

/** Joins `[name, value, name, value, …]` to the form that INVOKE and RESULT carry. */
export function joinHeaders(pairs: readonly string[]): string {
  let joined = "";
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    joined += `${(pairs[i] as string).toLowerCase()}\0${pairs[i + 1] as string}\0`;
  }
  return joined;
}

/** The inverse of {@link joinHeaders}. @throws ChannelError on an odd number of parts */
export function splitHeaders(joined: string): string[] {
  if (joined === "") return [];
  const parts = joined.split("\0");
  expectProtocol(parts.length % 2 === 1 && parts.at(-1) === "", "headers are not in pairs");
  parts.pop();
  return parts;
}

/**
 * Writes an INVOKE frame: `timeoutMs` is the time left, `idBytes` the 16 bytes of the invocation's
 * id, `flags` those beside `body`.
 */
export function encodeInvoke(
  writer: FrameWriter,
  callId: number,
  timeoutMs: number,
  idBytes: Uint8Array,
  request: InvokeRequest,
  flags = 0,
  mayWait = false,
): void {
  const { method, path, query, contentType, idempotencyKey, headers, body } = request;
  const textLength =
    method.length +
    path.length +
    query.length +
    contentType.length +
    idempotencyKey.length +
    headers.length;
  writer.begin(FRAME.invoke, callId);
  const start = writer.reserve(TEXTS_AT + textLength * 3);
  const buffer = writer.buffer;
  writeU32(buffer, start + TIMEOUT_AT, timeoutMs);
  buffer[start + FLAGS_AT] = body && body.length > 0 ? INVOKE_FLAG.body | flags : flags;
  buffer.set(idBytes, start + ID_AT);
  const lengths = start + LENGTHS_AT;
  let at = start + TEXTS_AT;
  at = writeSized(writer, lengths, at, method);
  at = writeSized(writer, lengths + 2, at, path);
  at = writeSized(writer, lengths + 4, at, query);
  at = writeSized(writer, lengths + 6, at, contentType);
  at = writeSized(writer, lengths + 8, at, idempotencyKey);
  const headerBytes = headers === "" ? 0 : buffer.write(headers, at);
  writeU32(buffer, start + HEADERS_LENGTH_AT, headerBytes);
  writer.advance(at + headerBytes);
  if (body && body.length > 0) writer.bytes(body);
  writer.end(mayWait);
}

function writeSized(writer: FrameWriter, lengthAt: number, at: number, text: string): number {
  const buffer = writer.buffer;
  const sizeBytes = text === "" ? 0 : buffer.write(text, at);
  if (sizeBytes > 0xffff) {
    writer.drop();
    throw new ChannelError("a text of more than 65,535 bytes");
  }
  writeU16(buffer, lengthAt, sizeBytes);
  return at + sizeBytes;
}

/**
 * One call, as an instance received it. Only the bounds are read at once; each member is decoded
 * when it is asked for, so a function that looks at nothing pays for nothing.
 */
export class InvokeView {
  readonly #payload: Buffer;
  readonly #pathAt: number;
  readonly #queryAt: number;
  readonly #contentTypeAt: number;
  readonly #idempotencyKeyAt: number;
  readonly #headersAt: number;
  readonly #bodyAt: number;

  /** @throws ChannelError when the payload does not parse */
  constructor(payload: Buffer) {
    expectProtocol(payload.length >= TEXTS_AT, "INVOKE is too short");
    this.#payload = payload;
    this.#pathAt = TEXTS_AT + readU16(payload, LENGTHS_AT);
    this.#queryAt = this.#pathAt + readU16(payload, LENGTHS_AT + 2);
    this.#contentTypeAt = this.#queryAt + readU16(payload, LENGTHS_AT + 4);
    this.#idempotencyKeyAt = this.#contentTypeAt + readU16(payload, LENGTHS_AT + 6);
    this.#headersAt = this.#idempotencyKeyAt + readU16(payload, LENGTHS_AT + 8);
    this.#bodyAt = this.#headersAt + readU32(payload, HEADERS_LENGTH_AT);
    expectProtocol(this.#bodyAt <= payload.length, "INVOKE is too short");
  }

  /** Time that is left, in milliseconds. */
  get timeoutMs(): number {
    return readU32(this.#payload, TIMEOUT_AT);
  }

  get hasBody(): boolean {
    return this.#bodyAt < this.#payload.length;
  }

  /** Its reads go over the channel. */
  get asksNode(): boolean {
    return ((this.#payload[FLAGS_AT] as number) & INVOKE_FLAG.asksNode) !== 0;
  }

  /** 32 hexadecimal digits. */
  get invocationId(): string {
    return this.#payload.toString("hex", ID_AT, ID_END);
  }

  get method(): string {
    return this.#text(TEXTS_AT, this.#pathAt);
  }

  get path(): string {
    return this.#text(this.#pathAt, this.#queryAt);
  }

  get query(): string {
    return this.#text(this.#queryAt, this.#contentTypeAt);
  }

  get contentType(): string {
    return this.#text(this.#contentTypeAt, this.#idempotencyKeyAt);
  }

  get idempotencyKey(): string {
    return this.#text(this.#idempotencyKeyAt, this.#headersAt);
  }

  /** See {@link splitHeaders}. */
  get headers(): string {
    return this.#text(this.#headersAt, this.#bodyAt);
  }

  /** The body, not copied. */
  get body(): Buffer {
    return this.#payload.subarray(this.#bodyAt);
  }

  /** The body as UTF-8 text; what is not UTF-8 becomes U+FFFD. */
  get bodyText(): string {
    return this.#text(this.#bodyAt, this.#payload.length);
  }

  #text(from: number, to: number): string {
    return from === to ? "" : this.#payload.toString("utf8", from, to);
  }
}

/**
 * Writes a RESULT frame. Status 0 stands for 200; `headers` as {@link joinHeaders} makes them.
 * `hasRead`: the call has read from the store's file.
 */
export function encodeResult(
  writer: FrameWriter,
  callId: number,
  status: number,
  contentType: string,
  headers: string,
  body: Uint8Array | string,
  hasRead = false,
): void {
  writer.begin(FRAME.result, callId);
  const shown = Math.min(status, RESULT_READ_FLAG - 1);
  const flagged = hasRead ? shown | RESULT_READ_FLAG : shown;
  encodeResultBody(writer, flagged, contentType, headers, body);
  writer.end();
}

/** Writes what RESULT carries into a frame that is open. */
export function encodeResultBody(
  writer: FrameWriter,
  status: number,
  contentType: string,
  headers: string,
  body: Uint8Array | string,
): void {
  const start = writer.reserve(RESULT_TEXTS_AT + (contentType.length + headers.length) * 3);
  const buffer = writer.buffer;
  writeU16(buffer, start, status);
  let at = writeSized(writer, start + 2, start + RESULT_TEXTS_AT, contentType);
  const headerBytes = headers === "" ? 0 : buffer.write(headers, at);
  writeU32(buffer, start + 4, headerBytes);
  at += headerBytes;
  writer.advance(at);
  if (typeof body === "string") writer.utf8(body);
  else writer.bytes(body);
}

/** What a function answered. */
export interface ResultView {
  /** 0 stands for 200. */
  readonly status: number;
  /** Empty when there is no body to describe. */
  readonly contentType: string;
  /** See {@link splitHeaders}. */
  readonly headers: string;
  /** Not copied. */
  readonly body: Buffer;
}

/** Reads the payload of a RESULT frame. @throws ChannelError when it does not parse */
export function decodeResult(payload: Buffer): ResultView {
  expectProtocol(payload.length >= RESULT_TEXTS_AT, "RESULT is too short");
  const headersAt = RESULT_TEXTS_AT + readU16(payload, 2);
  const bodyAt = headersAt + readU32(payload, 4);
  expectProtocol(bodyAt <= payload.length, "RESULT is too short");
  return {
    status: readU16(payload, 0) & ~RESULT_READ_FLAG,
    contentType:
      headersAt === RESULT_TEXTS_AT ? "" : payload.toString("utf8", RESULT_TEXTS_AT, headersAt),
    headers: bodyAt === headersAt ? "" : payload.toString("utf8", headersAt, bodyAt),
    body: payload.subarray(bodyAt),
  };
}

/** Whether a RESULT that {@link decodeResult} reads says so. */
export function hasReadDirectly(payload: Buffer): boolean {
  return (readU16(payload, 0) & RESULT_READ_FLAG) !== 0;
}
