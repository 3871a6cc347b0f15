import { isUtf8 } from "node:buffer";

import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { INTERNAL_KEY_PREFIX } from "../core/rows.js";

/** Key of the item that remembers an effect-once key. Not UTF-8, so no user key can be it. */
export function onceItemKey(once: string): Uint8Array {
  const text = Buffer.from(once, "utf8");
  if (text.length === 0 || text.length > LIMITS.idempotencyKeyBytesMax) {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      `a once key has 1 to ${LIMITS.idempotencyKeyBytesMax} bytes`,
    );
  }
  const key = Buffer.allocUnsafe(text.length + 1);
  key[0] = INTERNAL_KEY_PREFIX;
  text.copy(key, 1);
  return key;
}

/** Encodes a user key. @throws EnokiError `ENOKI_INVALID_KEY` */
export function encodeKey(key: string): Buffer {
  if (!key.isWellFormed())
    throw new EnokiError("ENOKI_INVALID_KEY", "the key is not valid Unicode");
  return checkKey(Buffer.from(key, "utf8"));
}

/** Checks a user key that arrived as bytes. @throws EnokiError `ENOKI_INVALID_KEY` */
export function checkKey(key: Buffer): Buffer {
  if (key.length > 0 && key.length <= LIMITS.keySizeBytesMax && isUtf8(key)) return key;
  throw new EnokiError(
    "ENOKI_INVALID_KEY",
    `a key has 1 to ${LIMITS.keySizeBytesMax} bytes of UTF-8; this one has ${key.length}`,
  );
}
