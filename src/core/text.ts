import { assert } from "../base/assert.js";

/** UTF-8 bytes of a text; a lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.codePointAt(i) as number;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code > 0xffff) i++;
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
    } else {
      if (code < 0x10000) {
        bytes[at++] = 0xe0 | (code >> 12);
      } else {
        bytes[at++] = 0xf0 | (code >> 18);
        bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
      }
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
    }
    bytes[at++] = 0x80 | (code & 0x3f);
  }
  return bytes.slice(0, at);
}

/** The text of UTF-8 bytes that {@link utf8Bytes} made. */
export function utf8Text(bytes: Uint8Array): string {
  let text = "";
  let i = 0;
  const next = (): number => {
    assert(i < bytes.length, "the encoded text ends too early");
    return (bytes[i++] as number) & 0x3f;
  };
  while (i < bytes.length) {
    const first = bytes[i++] as number;
    let code = first;
    if (first >= 0xf0) code = ((first & 0x07) << 18) | (next() << 12) | (next() << 6) | next();
    else if (first >= 0xe0) code = ((first & 0x0f) << 12) | (next() << 6) | next();
    else if (first >= 0x80) code = ((first & 0x1f) << 6) | next();
    text += String.fromCodePoint(code);
  }
  return text;
}
