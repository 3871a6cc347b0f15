const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES: ReadonlyMap<string, number> = new Map([...DIGITS].map((digit, i) => [digit, i]));

/** Bytes in base64url, without padding. */
export function base64UrlText(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 6; count -= 6) text += DIGITS[(bits >>> (count - 6)) & 63];
    bits &= 0x3f;
  }
  if (count > 0) text += DIGITS[(bits << (6 - count)) & 63];
  return text;
}

/** The bytes of a text in base64url; `undefined` for anything that {@link base64UrlText} does not give. */
export function base64UrlBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const digit of text) {
    const value = VALUES.get(digit);
    if (value === undefined) return undefined;
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = bits >>> count;
      bits &= (1 << count) - 1;
    }
  }
  return bits === 0 && count < 6 ? bytes : undefined;
}
