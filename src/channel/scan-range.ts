import { prefixEnd } from "../base/bytes.js";
import { LIMITS } from "../core/limits.js";
import { itemRowKey, USER_ITEM_ROWS } from "../core/rows.js";

/** A scan with encoded keys. The libraries page with bounds inside a prefix, so all bounds combine. */
export interface EncodedScan {
  readonly start: Buffer;
  readonly end: Buffer | undefined;
  readonly prefix: Buffer | undefined;
  readonly after: boolean;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  readonly limit: number;
}

/** Items in a page. */
export function pageLimit(limit: number): number {
  return limit === 0 ? LIMITS.scanPageItemsMax : Math.min(limit, LIMITS.scanPageItemsMax);
}

/** The rows of a scan; `undefined` when there can be none. */
export function rowRange(request: EncodedScan): { start: Uint8Array; end: Uint8Array } | undefined {
  const { prefix, start, end } = request;
  let from: Uint8Array = USER_ITEM_ROWS.start;
  let to: Uint8Array = USER_ITEM_ROWS.end;
  if (prefix !== undefined && prefix.length > 0) {
    from = itemRowKey(prefix);
    to = prefixEnd(from) ?? to;
  }
  // A page after a page: forward it begins behind `start`, in reverse it ends before it.
  if (request.after && request.reverse) {
    const before = itemRowKey(start);
    if (compare(before, to) < 0) to = before;
  } else if (start.length > 0) {
    const first = request.after ? successor(itemRowKey(start)) : itemRowKey(start);
    if (compare(first, from) > 0) from = first;
  }
  if (end !== undefined) {
    if (end.length === 0) return undefined;
    const last = itemRowKey(end);
    if (compare(last, to) < 0) to = last;
  }
  return compare(from, to) < 0 ? { start: from, end: to } : undefined;
}

function compare(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left, right);
}

/** The first key behind `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
