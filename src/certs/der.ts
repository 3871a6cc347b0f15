/**
 * ASN.1 in its distinguished encoding, as far as a certificate needs it. Every function returns one
 * complete element.
 */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** An element of any tag. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export function sequence(...elements: readonly Uint8Array[]): Buffer {
  return element(TAG.sequence, ...elements);
}

export function set(...elements: readonly Uint8Array[]): Buffer {
  return element(TAG.set, ...elements);
}

export function trueValue(): Buffer {
  return element(TAG.boolean, Buffer.from([0xff]));
}

/** A non-negative integer, highest byte first. */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from += 1;
  const shortest = bytes.subarray(from);
  const isNegative = ((shortest[0] ?? 0) & 0x80) !== 0;
  return element(TAG.integer, ...(isNegative ? [Buffer.from([0])] : []), shortest);
}

/** Whole bytes as a bit string. */
export function bitString(bytes: Uint8Array): Buffer {
  return element(TAG.bitString, Buffer.from([0]), bytes);
}

/** Named bits, the first one highest; bits at the end that are not set are left out. */
export function namedBits(...positions: readonly number[]): Buffer {
  const last = Math.max(...positions);
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const position of positions) {
    const at = Math.floor(position / 8);
    bytes[at] = (bytes[at] as number) | (0x80 >> (position % 8));
  }
  return element(TAG.bitString, Buffer.from([7 - (last % 8)]), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return element(TAG.octetString, bytes);
}

export function utf8String(text: string): Buffer {
  return element(TAG.utf8String, Buffer.from(text, "utf8"));
}

/** An object identifier from its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap(base128);
  return element(TAG.objectIdentifier, Buffer.from(bytes));
}

/** A time in whole seconds: two digits for the year up to 2049, four from then on. */
export function time(timeMs: number): Buffer {
  const digits = new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  const isUtcTime = Number(digits.slice(0, 4)) < 2050;
  const text = isUtcTime ? digits.slice(2) : digits;
  return element(isUtcTime ? TAG.utcTime : TAG.generalizedTime, Buffer.from(text, "ascii"));
}

/** An element with a tag that means something only here: explicit ones hold elements. */
export function contextTag(
  number: number,
  isConstructed: boolean,
  ...content: Uint8Array[]
): Buffer {
  return element(0x80 | (isConstructed ? 0x20 : 0) | number, ...content);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 0x100)) bytes.unshift(rest % 0x100);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const bytes = [value % 0x80];
  for (let rest = Math.floor(value / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) {
    bytes.unshift((rest % 0x80) | 0x80);
  }
  return bytes;
}
