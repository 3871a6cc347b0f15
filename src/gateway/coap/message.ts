/** Types of messages (RFC 7252, section 3). */
export const TYPE = { confirmable: 0, nonConfirmable: 1, acknowledgement: 2, reset: 3 } as const;

/** One of {@link TYPE}. */
export type MessageType = (typeof TYPE)[keyof typeof TYPE];

/** One option of a message. */
export interface CoapOption {
  readonly number: number;
  readonly value: Buffer;
}

/** One message, request or response. */
export interface CoapMessage {
  readonly type: MessageType;
  /** Class in the upper three bits, detail in the lower five; 0 = empty. */
  readonly code: number;
  readonly messageId: number;
  readonly token: Buffer;
  /** In ascending order of their numbers. */
  readonly options: readonly CoapOption[];
  readonly payload: Buffer;
}

/** What a datagram is. */
export type ParsedDatagram =
  | { readonly kind: "message"; readonly message: CoapMessage }
  /** A message whose form is wrong: it may be rejected by its id. */
  | { readonly kind: "malformed"; readonly type: MessageType; readonly messageId: number }
  /** No message of this protocol: nothing is answered. */
  | { readonly kind: "foreign" };

const VERSION = 1;
const HEADER_BYTES = 4;
const TOKEN_BYTES_MAX = 8;
const PAYLOAD_MARKER = 0xff;
const OPTION_NUMBER_MAX = 65_535;
/** More than any request needs; each costs memory beyond its bytes. */
const OPTIONS_MAX = 128;
/** A nibble of 13 or 14 is followed by one or two more bytes, which count from these. */
const ONE_BYTE_BASE = 13;
const TWO_BYTES_BASE = 269;

const EMPTY = Buffer.alloc(0);

/** Reads one datagram. Never throws; the message keeps views of the datagram. */
export function parseDatagram(datagram: Buffer): ParsedDatagram {
  if (datagram.length < HEADER_BYTES) return { kind: "foreign" };
  const first = datagram.readUInt8(0);
  if (first >> 6 !== VERSION) return { kind: "foreign" };
  const type = ((first >> 4) & 0b11) as MessageType;
  const tokenEnd = HEADER_BYTES + (first & 0b1111);
  const code = datagram.readUInt8(1);
  const messageId = datagram.readUInt16BE(2);
  const malformed = { kind: "malformed", type, messageId } as const;
  if (tokenEnd > HEADER_BYTES + TOKEN_BYTES_MAX || tokenEnd > datagram.length) return malformed;
  if (code === 0 && datagram.length > HEADER_BYTES) return malformed;
  const rest = readOptions(datagram, tokenEnd);
  if (!rest) return malformed;
  const token = datagram.subarray(HEADER_BYTES, tokenEnd);
  return { kind: "message", message: { type, code, messageId, token, ...rest } };
}

function readOptions(
  datagram: Buffer,
  start: number,
): Pick<CoapMessage, "options" | "payload"> | undefined {
  const options: CoapOption[] = [];
  let at = start;
  let number = 0;
  while (at < datagram.length) {
    const head = datagram[at++] as number;
    if (head === PAYLOAD_MARKER) {
      return at === datagram.length ? undefined : { options, payload: datagram.subarray(at) };
    }
    const delta = readExtended(datagram, at, head >> 4);
    if (!delta) return undefined;
    const length = readExtended(datagram, delta.end, head & 0b1111);
    if (!length) return undefined;
    number += delta.value;
    at = length.end + length.value;
    if (at > datagram.length || number > OPTION_NUMBER_MAX) return undefined;
    if (options.length === OPTIONS_MAX) return undefined;
    options.push({ number, value: datagram.subarray(length.end, at) });
  }
  return { options, payload: EMPTY };
}

/** The value of a nibble and where it ends, with the bytes at `at` that it may ask for. */
function readExtended(
  datagram: Buffer,
  at: number,
  nibble: number,
): { readonly value: number; readonly end: number } | undefined {
  if (nibble < 13) return { value: nibble, end: at };
  const end = at + nibble - 12;
  if (nibble === 15 || end > datagram.length) return undefined;
  return nibble === 13
    ? { value: datagram.readUInt8(at) + ONE_BYTE_BASE, end }
    : { value: datagram.readUInt16BE(at) + TWO_BYTES_BASE, end };
}

/** Writes one message; options may come in any order. */
export function encodeMessage(message: CoapMessage): Buffer {
  const { type, code, messageId, token, payload } = message;
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt8((VERSION << 6) | (type << 4) | token.length, 0);
  head.writeUInt8(code, 1);
  head.writeUInt16BE(messageId, 2);
  const parts = [head, token];
  let before = 0;
  for (const { number, value } of message.options.toSorted((a, b) => a.number - b.number)) {
    parts.push(encodeOptionHead(number - before, value.length), value);
    before = number;
  }
  if (payload.length > 0) parts.push(Buffer.of(PAYLOAD_MARKER), payload);
  return Buffer.concat(parts);
}

/** An empty message: acknowledges or resets. */
export function encodeEmpty(type: MessageType, messageId: number): Buffer {
  return encodeMessage({ type, code: 0, messageId, token: EMPTY, options: [], payload: EMPTY });
}

function encodeOptionHead(delta: number, length: number): Buffer {
  const [deltaNibble, deltaBytes] = extend(delta);
  const [lengthNibble, lengthBytes] = extend(length);
  return Buffer.of((deltaNibble << 4) | lengthNibble, ...deltaBytes, ...lengthBytes);
}

function extend(value: number): [number, readonly number[]] {
  if (value < ONE_BYTE_BASE) return [value, []];
  if (value < TWO_BYTES_BASE) return [13, [value - ONE_BYTE_BASE]];
  const beyond = value - TWO_BYTES_BASE;
  return [14, [beyond >> 8, beyond & 0xff]];
}
