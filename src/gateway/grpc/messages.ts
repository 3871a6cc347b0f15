import { EnokiError } from "../../core/errors.js";

/** tinyFaaS's `Data`: which function, and what it is given. */
export interface RequestMessage {
  readonly functionIdentifier: string;
  /** UTF-8, as `string` fields are. */
  readonly data: Buffer;
}

const FUNCTION_FIELD = 1;
const DATA_FIELD = 2;
const RESPONSE_FIELD = 1;
/** How a field's value is written (protocol buffers' wire types). */
const WIRE = { varint: 0, eightBytes: 1, bytes: 2, fourBytes: 5 } as const;
const VARINT_BYTES_MAX = 10;

const EMPTY: Buffer = Buffer.alloc(0);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads `Data`. Fields that it does not know are skipped, and the last of several wins, as protocol
 * buffers have it.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function decodeRequest(message: Buffer): RequestMessage {
  let functionIdentifier = EMPTY;
  let data = EMPTY;
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    const { value, end } = readField(message, tag.end, tag.value % 8);
    const field = Math.floor(tag.value / 8);
    if (field === 0) throw malformed("a field has the number 0");
    if (field === FUNCTION_FIELD) functionIdentifier = expectBytes(value);
    if (field === DATA_FIELD) data = expectBytes(value);
    at = end;
  }
  textOf(data, "data");
  return { functionIdentifier: textOf(functionIdentifier, "functionIdentifier"), data };
}

/** Writes `Response`. @throws EnokiError `ENOKI_INVALID_RESULT` for bytes that are no text */
export function encodeResponse(response: Buffer): Buffer {
  try {
    utf8.decode(response);
  } catch {
    const detail = "over gRPC a function returns text; what it returned is not UTF-8";
    throw new EnokiError("ENOKI_INVALID_RESULT", detail);
  }
  if (response.length === 0) return EMPTY;
  const tag = (RESPONSE_FIELD << 3) | WIRE.bytes;
  return Buffer.concat([Buffer.of(tag, ...varint(response.length)), response]);
}

/** The value of a field that has bytes, else nothing, and where the next one begins. */
function readField(
  message: Buffer,
  at: number,
  wire: number,
): { readonly value: Buffer | undefined; readonly end: number } {
  switch (wire) {
    case WIRE.varint:
      return { value: undefined, end: readVarint(message, at).end };
    case WIRE.eightBytes:
      return { value: undefined, end: within(message, at + 8) };
    case WIRE.fourBytes:
      return { value: undefined, end: within(message, at + 4) };
    case WIRE.bytes: {
      const length = readVarint(message, at);
      const end = within(message, length.end + length.value);
      return { value: message.subarray(length.end, end), end };
    }
    default:
      throw malformed(`there is no wire type ${wire}`);
  }
}

/** Numbers beyond 2^53 lose digits, which only fields can have that are skipped. */
function readVarint(
  message: Buffer,
  start: number,
): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = start; at < start + VARINT_BYTES_MAX; at++) {
    const byte = message[at];
    if (byte === undefined) throw malformed("it ends in the middle of a number");
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw malformed("a number is too long");
}

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

function within(message: Buffer, end: number): number {
  if (end > message.length) throw malformed("it ends in the middle of a field");
  return end;
}

function expectBytes(value: Buffer | undefined): Buffer {
  if (value === undefined) throw malformed("a text field holds a number");
  return value;
}

function textOf(value: Buffer, name: string): string {
  try {
    return utf8.decode(value);
  } catch {
    throw malformed(`${name} is not UTF-8`);
  }
}

function malformed(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", `the message is no Data of tinyFaaS: ${detail}`);
}
