/** Where a text stops being JSON, or is nested too deeply. */
export interface JsonFault {
  readonly at: number;
  readonly isTooDeep: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const LITERALS = ["true", "false", "null"] as const;
const ESCAPES = '"\\/bfnrt';

/**
 * Finds out whether `bytes`, which are UTF-8, are one JSON text nested at most `depthMax` deep.
 * It makes nothing of what it reads: what a parser would build of 16 MiB takes seconds.
 */
export function findJsonFault(bytes: Uint8Array, depthMax: number): JsonFault | undefined {
  // why no array of bytes: most texts are a number or a word, and such an array costs more than they do.
  const closings: number[] = [];
  let depth = 0;
  let at = skipSpace(bytes, 0);
  const fault = (end: number): JsonFault => ({ at: end < 0 ? ~end : end, isTooDeep: false });
  for (;;) {
    // A value begins here.
    const first = bytes[at];
    let isOpen = false;
    if (first === OPENING_BRACE || first === OPENING_BRACKET) {
      if (depth === depthMax) return { at, isTooDeep: true };
      const closing = first + 2;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] === closing) at++;
      else {
        closings[depth++] = closing;
        isOpen = true;
      }
    } else {
      at = first === QUOTE ? endOfString(bytes, at) : endOfScalar(bytes, at);
      if (at < 0) return fault(at);
    }
    // What follows it decides where the next one begins.
    while (!isOpen) {
      at = skipSpace(bytes, at);
      if (depth === 0) return at === bytes.length ? undefined : fault(at);
      const next = bytes[at];
      if (next !== COMMA && next !== closings[depth - 1]) return fault(at);
      at++;
      if (next !== COMMA) depth--;
      else {
        at = skipSpace(bytes, at);
        isOpen = true;
      }
    }
    if (closings[depth - 1] !== CLOSING_BRACE) continue;
    at = endOfName(bytes, at);
    if (at < 0) return fault(at);
  }
}

/**
 * How many brackets, names and members a text of JSON has at least, and how deep they lie: what a
 * parser would have to build. The text need not be JSON.
 */
export function measureJson(bytes: Uint8Array, from: number): { parts: number; depth: number } {
  let parts = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = from; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        for (at++; at < bytes.length && bytes[at] !== QUOTE; at++)
          if (bytes[at] === BACKSLASH) at++;
        break;
      case OPENING_BRACE:
      case OPENING_BRACKET:
        parts++;
        depth++;
        if (depth > deepest) deepest = depth;
        break;
      case CLOSING_BRACE:
      case CLOSING_BRACKET:
        depth--;
        break;
      case COMMA:
      case COLON:
        parts++;
        break;
      default:
    }
  }
  return { parts, depth: deepest };
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  return at;
}

// The functions below return the index behind what they read, or `~index` of the fault.

/** A name and its colon, up to the value. */
function endOfName(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return ~from;
  const end = endOfString(bytes, from);
  if (end < 0) return end;
  const at = skipSpace(bytes, end);
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : ~at;
}

function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = from + 1; at < bytes.length; at++) {
    const code = bytes[at] as number;
    if (code === QUOTE) return at + 1;
    if (code < 0x20) return ~at;
    if (code !== BACKSLASH) continue;
    at++;
    const escaped = bytes[at] as number;
    if (escaped === 0x75) {
      for (const end = at + 4; at < end;) if (!isHex(bytes[++at])) return ~at;
    } else if (!ESCAPES.includes(String.fromCharCode(escaped))) return ~at;
  }
  return ~bytes.length;
}

function endOfScalar(bytes: Uint8Array, from: number): number {
  for (const word of LITERALS) {
    if (bytes[from] !== word.charCodeAt(0)) continue;
    for (let i = 1; i < word.length; i++) {
      if (bytes[from + i] !== word.charCodeAt(i)) return ~(from + i);
    }
    return from + word.length;
  }
  let at = bytes[from] === 0x2d ? from + 1 : from;
  const whole = endOfDigits(bytes, at);
  // A zero stands alone.
  at = bytes[at] === 0x30 ? at + 1 : whole;
  if (at >= 0 && bytes[at] === 0x2e) at = endOfDigits(bytes, at + 1);
  if (at >= 0 && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    const isSigned = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d;
    at = endOfDigits(bytes, isSigned ? at + 2 : at + 1);
  }
  return at;
}

/** One digit at least. */
function endOfDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at++;
  return at === from ? ~from : at;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39;
}

function isHex(code: number | undefined): boolean {
  if (isDigit(code)) return true;
  const lower = (code ?? 0) | 0x20;
  return lower >= 0x61 && lower <= 0x66;
}
