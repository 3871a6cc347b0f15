import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { JsonValue } from "../channel/values.js";
import { checkBound, parseFresh } from "../guest/kv-values.js";
import type { ReadOptions, Scan, ScanOptions, ScanRange } from "../guest/types.js";
import { query } from "./options.js";
import type { Requests } from "./transport.js";

/** One key in a page; the value is there unless only keys were asked for. */
export interface PageItem {
  readonly key: string;
  readonly value?: JsonValue;
}

interface Page {
  readonly items: readonly PageItem[];
  /** Where the next page goes on; `null` after the last. */
  readonly next: string | null;
}

/** A scan over HTTP: pages are fetched as they are needed, and each is one snapshot. */
export class PageScan<T> implements Scan<T> {
  readonly #items: AsyncGenerator<T>;

  /** @throws EnokiError `ENOKI_INVALID_KEY`, `ENOKI_INVALID_INPUT` */
  constructor(items: AsyncGenerator<T>) {
    this.#items = items;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    return this.#items.next();
  }

  return(): Promise<IteratorResult<T>> {
    return this.#items.return(undefined);
  }

  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for await (const item of this.#items) all.push(item);
    return all;
  }
}

/** Brings the two ways to name a range into one. @throws EnokiError when the bounds are not valid */
export function toRange(from: string | ScanRange | undefined, options?: ScanOptions): ScanRange {
  const range: ScanRange = typeof from === "object" ? from : { ...options, start: from ?? "" };
  const { start, end, prefix, limit } = range;
  if (prefix !== undefined && (start || end !== undefined)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "prefix excludes start and end");
  }
  for (const bound of [start, end, prefix]) if (bound !== undefined) checkBound(bound);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "limit is a whole number from 0 on");
  }
  return range;
}

/** How fresh a read has to be, as a query says it. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function freshParameters(options: ReadOptions | undefined): Record<string, string> {
  if (parseFresh(options) === undefined) return {};
  const { maxStaleness, onStale, within } = options as ReadOptions;
  return {
    ...(maxStaleness === undefined ? {} : { maxStaleness }),
    ...(onStale === undefined ? {} : { onStale }),
    ...(within === undefined ? {} : { within }),
  };
}

/** Fetches all items of a range, page by page. */
export async function* fetchItems(
  admin: Requests,
  keygroupPath: string,
  range: ScanRange,
  withValues: boolean,
): AsyncGenerator<PageItem> {
  let remaining = range.limit ?? Infinity;
  let after: string | undefined;
  while (remaining > 0) {
    const path = `${keygroupPath}/keys${query({
      start: range.start || undefined,
      end: range.end,
      prefix: range.prefix,
      reverse: range.reverse || undefined,
      values: withValues || undefined,
      limit: Math.min(remaining, LIMITS.scanPageItemsMax),
      after,
      ...freshParameters(range),
    })}`;
    const page = await admin.json<Page>(path);
    yield* page.items;
    remaining -= page.items.length;
    if (page.next === null) return;
    after = page.next;
  }
}
