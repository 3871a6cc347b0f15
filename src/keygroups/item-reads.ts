import { EnokiError } from "../core/errors.js";
import { hlcToMs } from "../core/hlc.js";
import { decodeItem, soleValue, type Version } from "../core/item.js";
import { LIMITS } from "../core/limits.js";
import { itemKeyOf, itemRowKey, USER_ITEM_ROWS } from "../core/rows.js";
import { isCrdt, TAG, type TypedValue } from "../core/value.js";
import { versionToken, visibleValue, visibleVersions } from "../core/visible.js";
import type { Reader, Row } from "../ports/storage.js";
import { encodeKey } from "./keys.js";
import { pageLimit, rowRange, successor, type EncodedScan } from "../channel/scan-range.js";
import type {
  ConflictPolicy,
  Entry,
  Explanation,
  ExportedItem,
  ScanPage,
  ScanRequest,
} from "./types.js";

/** Rows that a count reads at once: few, since each may hold 16 MiB. */
const COUNT_PAGE_ROWS = 2;
/** How long a count holds the event loop before it lets others run. */
const COUNT_SLICE_MS = 2;

interface ItemCount {
  readonly keys: number;
  readonly sizeBytes: number;
}

/** The reads of one keygroup: of the last commit, by the policy and the time that hold now. */
export class ItemReads {
  readonly #storage: Reader;
  readonly #policy: () => ConflictPolicy;
  readonly #nowMs: () => number;
  #lastCount: Promise<unknown> = Promise.resolve();
  /** A count that is asked for and has not begun. */
  #nextCount: Promise<ItemCount> | undefined;
  #isClosed = false;

  constructor(storage: Reader, policy: () => ConflictPolicy, nowMs: () => number) {
    this.#storage = storage;
    this.#policy = policy;
    this.#nowMs = nowMs;
  }

  get(key: string): TypedValue | undefined {
    return this.getBytes(encodeKey(key));
  }

  /** {@link get} for a key that is already encoded and checked: the hot path. */
  getBytes(key: Buffer): TypedValue | undefined {
    const stored = this.#storage.get(itemRowKey(key));
    return stored && this.#valueOf(stored, this.#nowMs());
  }

  entry(key: string): Entry | undefined {
    return this.entryBytes(encodeKey(key));
  }

  /** {@link entry} for a key that is already encoded and checked. */
  entryBytes(key: Buffer): Entry | undefined {
    const versions = this.#versions(key);
    const policy = this.#policy();
    const nowMs = this.#nowMs();
    const value = visibleValue(policy, versions, nowMs);
    if (!value) return undefined;
    const visible = visibleVersions(policy, versions, nowMs);
    let expiresAtMs = 0;
    for (const version of visible) {
      if (version.expiresAtMs === 0) continue;
      expiresAtMs =
        expiresAtMs === 0 ? version.expiresAtMs : Math.min(expiresAtMs, version.expiresAtMs);
    }
    return { value, version: versionToken(visible), expiresAtMs };
  }

  siblings(key: string): readonly TypedValue[] {
    const policy = this.#policy();
    const nowMs = this.#nowMs();
    const versions = visibleVersions(policy, this.#versions(encodeKey(key)), nowMs);
    return versions.map((version) =>
      isCrdt(version.value.tag)
        ? (visibleValue(policy, [version], nowMs) as TypedValue)
        : version.value,
    );
  }

  scan(request: ScanRequest): ScanPage {
    const hasStart = request.start !== undefined && request.after !== true;
    if (request.prefix !== undefined && (request.end !== undefined || hasStart)) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "prefix excludes start and end");
    }
    const page = this.scanBytes({
      start: Buffer.from(request.start ?? "", "utf8"),
      end: request.end === undefined ? undefined : Buffer.from(request.end, "utf8"),
      prefix: request.prefix === undefined ? undefined : Buffer.from(request.prefix, "utf8"),
      after: request.after ?? false,
      reverse: request.reverse ?? false,
      keysOnly: request.keysOnly ?? false,
      limit: request.limit,
    });
    return {
      items: page.keys.map((key, index) => ({
        key: Buffer.from(key).toString("utf8"),
        value: page.values[index],
      })),
      more: page.more,
    };
  }

  /** {@link scan} with encoded keys; `values` is empty when only keys were asked for. */
  scanBytes(request: EncodedScan): { keys: Uint8Array[]; values: TypedValue[]; more: boolean } {
    const limit = pageLimit(request.limit);
    const range = rowRange(request);
    const keys: Uint8Array[] = [];
    const values: TypedValue[] = [];
    if (!range) return { keys, values, more: false };
    const nowMs = this.#nowMs();
    let sizeBytes = 0;
    for (const row of this.#rows(range.start, range.end, request.reverse, limit + 1)) {
      const value = this.#valueOf(row.value, nowMs);
      if (!value) continue;
      const key = itemKeyOf(row.key);
      const isFull =
        keys.length >= limit || (keys.length > 0 && sizeBytes > LIMITS.scanPageBytesMax);
      if (isFull) return { keys, values, more: true };
      keys.push(key);
      sizeBytes += key.length;
      if (request.keysOnly) continue;
      values.push(value);
      sizeBytes += value.bytes.length;
    }
    return { keys, values, more: false };
  }

  explain(key: string): Explanation {
    const versions = visibleVersions(this.#policy(), this.#versions(encodeKey(key)), this.#nowMs());
    return {
      key,
      versions: versions.map((version) => ({
        version: versionToken([version]),
        member: version.dot.epoch,
        atMs: hlcToMs(version.hlc),
        invocation: version.invocation && Buffer.from(version.invocation).toString("hex"),
        type: typeName(version.value),
        expiresAtMs: version.expiresAtMs,
      })),
    };
  }

  /** All keys in order, or those whose live versions, tombstones among them, are wanted. */
  *exportItems(isWanted?: (versions: readonly Version[]) => boolean): Iterable<ExportedItem> {
    const policy = this.#policy();
    const nowMs = this.#nowMs();
    for (const row of this.#rows(USER_ITEM_ROWS.start, USER_ITEM_ROWS.end)) {
      const versions = decodeItem(row.value);
      if (isWanted?.(versions) === false) continue;
      const key = itemKeyOf(row.key);
      const entry = this.entryBytes(Buffer.from(key));
      if (!entry) continue;
      const crdt = visibleVersions(policy, versions, nowMs).find((version) =>
        isCrdt(version.value.tag),
      );
      yield {
        key: Buffer.from(key).toString("utf8"),
        value: crdt ? crdt.value : entry.value,
        expiresAtMs: entry.expiresAtMs,
      };
    }
  }

  #versions(key: Buffer): Version[] {
    const stored = this.#storage.get(itemRowKey(key));
    return stored ? decodeItem(stored) : [];
  }

  /** What a row shows at `nowMs`. */
  #valueOf(row: Uint8Array, nowMs: number): TypedValue | undefined {
    return soleValue(row, nowMs) ?? visibleValue(this.#policy(), decodeItem(row), nowMs);
  }

  /** Rows in a range, read page by page; each page is of one snapshot. */
  *#rows(
    start: Uint8Array,
    end: Uint8Array,
    reverse = false,
    pageRows = LIMITS.scanPageItemsMax + 1,
  ): Iterable<Row> {
    let from = start;
    let to = end;
    for (;;) {
      const rows = this.#storage.range({ start: from, end: to, reverse, limit: pageRows });
      yield* rows;
      const last = rows.at(-1);
      if (rows.length < pageRows || !last) return;
      if (reverse) to = last.key;
      else from = successor(last.key);
    }
  }

  /**
   * How many keys are shown, and the bytes of keys and values. Other work goes on meanwhile, so a
   * write during the count may be in it or not; one before it is.
   */
  async count(): Promise<ItemCount> {
    if (!this.#nextCount) {
      const begin = (): Promise<ItemCount> => {
        this.#nextCount = undefined;
        return this.#countInSlices();
      };
      // One count at a time; all who ask meanwhile share the next.
      this.#nextCount = this.#lastCount.then(begin, begin);
      this.#lastCount = this.#nextCount;
    }
    return this.#nextCount;
  }

  /** Ends counts with what they have so far: the store closes. */
  close(): void {
    this.#isClosed = true;
  }

  async #countInSlices(): Promise<ItemCount> {
    let keys = 0;
    let sizeBytes = 0;
    let from: Uint8Array = USER_ITEM_ROWS.start;
    let sliceBeginMs = performance.now();
    while (!this.#isClosed) {
      const nowMs = this.#nowMs();
      const { end } = USER_ITEM_ROWS;
      const rows = this.#storage.range({ start: from, end, limit: COUNT_PAGE_ROWS });
      for (const row of rows) {
        const value = this.#valueOf(row.value, nowMs);
        if (!value) continue;
        keys += 1;
        sizeBytes += row.key.length - 1 + value.bytes.length;
      }
      const last = rows.at(-1);
      if (rows.length < COUNT_PAGE_ROWS || !last) break;
      from = successor(last.key);
      if (performance.now() - sliceBeginMs < COUNT_SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceBeginMs = performance.now();
    }
    return { keys, sizeBytes };
  }
}

function typeName(value: TypedValue): string {
  const names = Object.entries(TAG);
  return names.find(([, tag]) => tag === value.tag)?.[0] ?? "unknown";
}
