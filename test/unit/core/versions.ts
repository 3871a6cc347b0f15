import { parseDot } from "../../../src/core/dot.js";
import type { Version } from "../../../src/core/item.js";
import { utf8Bytes } from "../../../src/core/text.js";
import { isCrdt, TAG, type Tag } from "../../../src/core/value.js";

/** A version for tests: `dot` as text; CRDT versions are pinned as they are under `lww`. */
export function version(
  dot: string,
  hlc: number,
  more: {
    tag?: Tag;
    text?: string;
    bytes?: Uint8Array;
    expiresAtMs?: number;
    isPinned?: boolean;
  } = {},
): Version {
  const { tag = TAG.str, text = dot, expiresAtMs = 0, isPinned = isCrdt(tag) } = more;
  const bytes = more.bytes ?? (tag === TAG.tombstone ? new Uint8Array(0) : utf8Bytes(text));
  const value = { tag, bytes };
  return { dot: parseDot(dot)!, hlc, value, expiresAtMs, invocation: undefined, isPinned };
}
