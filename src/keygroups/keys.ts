import { isUtf8 } from "node:buffer";

import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { INTERNAL_KEY_PREFIX } from "../core/rows.js";

/** Second bytes of items of the platform; an effect-once key is UTF-8, which has none of them. */
const DEPTH_MARK = 0xff;
const HANDLED_MARK = 0xfe;

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

/** Key of the item that says how deep the call was that wrote `key`, in the same commit as that. */
export function depthItemKey(key: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(INTERNAL_KEY_PREFIX, DEPTH_MARK), key]);
}

/** Key of the item with what the replicas have handled together of the trigger with that id. */
export function handledItemKey(id: string): Uint8Array {
  return Buffer.concat([Buffer.of(INTERNAL_KEY_PREFIX, HANDLED_MARK), Buffer.from(id, "utf8")]);
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
