import { EnokiError } from "../../core/errors.js";

/** A request of the admin port on its way to another node. */
export interface ForwardedRequest {
  readonly method: string;
  /** With its query, percent-encoded as it was sent. */
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly content: Uint8Array;
}

/** What stands before the body of the answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Of a problem document. */
  readonly code?: string;
}

const LENGTH_BYTES = 4;
/** Paths, queries and headers are shorter; whoever claims more is not waited for. */
const HEAD_BYTES_MAX = 262_144;

/** u32 length of the head, the head as JSON, the body. */
export function encodeRequest({ content, ...head }: ForwardedRequest): Uint8Array {
  return Buffer.concat([withLength(head), content]);
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeRequest(body: Uint8Array): ForwardedRequest {
  const found = decodeHead(Buffer.from(body.buffer, body.byteOffset, body.length));
  if (!found) throw malformed();
  const { method, path, headers } = found.head as Partial<ForwardedRequest>;
  if (typeof method !== "string" || typeof path !== "string" || !Array.isArray(headers)) {
    throw malformed();
  }
  return { method, path, headers, content: body.subarray(found.end) };
}

/** u32 length of the head, the head as JSON; the body follows. */
export function encodeAnswerHead(head: AnswerHead): Uint8Array {
  return withLength(head);
}

/** The head that `bytes` begin with, and where it ends; `undefined` while not all of it is there. */
export function decodeAnswerHead(
  bytes: Buffer,
): { readonly head: AnswerHead; readonly end: number } | undefined {
  const found = decodeHead(bytes);
  if (!found) return undefined;
  const { status, headers } = found.head as Partial<AnswerHead>;
  if (typeof status !== "number" || !Array.isArray(headers)) throw malformed();
  return { head: found.head as AnswerHead, end: found.end };
}

function withLength(head: object): Buffer {
  const json = Buffer.from(JSON.stringify(head), "utf8");
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json]);
}

function decodeHead(bytes: Buffer): { head: object; end: number } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const headBytes = bytes.readUInt32LE(0);
  if (headBytes > HEAD_BYTES_MAX) throw malformed();
  const end = LENGTH_BYTES + headBytes;
  if (bytes.length < end) return undefined;
  try {
    const head: unknown = JSON.parse(bytes.toString("utf8", LENGTH_BYTES, end));
    if (typeof head === "object" && head !== null) return { head, end };
  } catch {
    // It is none.
  }
  throw malformed();
}

function malformed(): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", "a request about data is malformed");
}
