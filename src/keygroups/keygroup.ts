import { prefixEnd } from "../base/bytes.js";
import { EnokiError } from "../core/errors.js";
import type { KeygroupName } from "../core/ids.js";
import { hasGarbage } from "../core/collect.js";
import { hlcToMs } from "../core/hlc.js";
import { decodeItem, soleValue, type Version } from "../core/item.js";
import { LIMITS } from "../core/limits.js";
import { Replica } from "../core/replica.js";
import { itemKeyOf, itemRowKey, USER_ITEM_ROWS, type RowWrite } from "../core/rows.js";
import { isCrdt, TAG, type TypedValue } from "../core/value.js";
import { versionToken, visibleValue, visibleVersions } from "../core/visible.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Row, Storage, Transaction } from "../ports/storage.js";
import type { Turn } from "../ports/turn.js";
import { GroupCommit } from "./group-commit.js";
import { putRows, sealReplica } from "./keygroup-store.js";
import { encodeKey } from "./keys.js";
import type {
  Entry,
  Explanation,
  ExportedItem,
  KeygroupConfig,
  KeygroupDescription,
  KeygroupFacade,
  ScanPage,
  ScanRequest,
  WatchEvent,
  WriteOutcome,
  WriteRequest,
} from "./types.js";
import { Watchers } from "./watchers.js";
import { applyWrite, type AppliedWrite, type SendEncoder } from "./write.js";

/** What a keygroup is opened from. */
export interface KeygroupOptions {
  readonly name: KeygroupName;
  readonly config: KeygroupConfig;
  readonly storage: Storage;
  readonly storageKind: string;
  readonly nodeName: string;
  /** See `Replica.open`: false when the stored state may be older than what was acknowledged. */
  readonly resumes: boolean;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly syncIntervalMs: number;
  /** Turns the sends of a batch into local rows of the same commit. */
  readonly encodeSends: SendEncoder;
}

/** How often tombstones and expired versions are looked for. */
const COLLECT_INTERVAL_MS = 2000;
const COLLECT_ROWS_MAX = 512;
/** Items in one commit of an import. */
const IMPORT_CHUNK_ITEMS = 500;

/**
 * One keygroup on this node: its replica, its store and the commit of its writes.
 *
 * Reads are synchronous and show the last commit. Writes of one turn share a transaction and are
 * decided in the order of their arrival, so all instances of the node see one order (linearizable).
 */
export class Keygroup implements KeygroupFacade {
  readonly name: KeygroupName;
  readonly #options: KeygroupOptions;
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #commits: GroupCommit;
  readonly #watchers = new Watchers();
  readonly #collectTimer: NodeJS.Timeout;
  #config: KeygroupConfig;
  #replica: Replica;

  private constructor(options: KeygroupOptions, replica: Replica) {
    this.name = options.name;
    this.#options = options;
    this.#config = options.config;
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#replica = replica;
    this.#commits = new GroupCommit({
      storage: options.storage,
      turn: options.turn,
      logger: options.logger,
      durability: () => this.#config.durability,
      syncIntervalMs: options.syncIntervalMs,
      seal: (transaction) => sealReplica(transaction, this.#replica),
      rolledBack: () => this.#reopenReplica(),
      syncBegins: () => {
        const replica = this.#replica;
        const vector = replica.vector.clone();
        return () => replica.durable(vector);
      },
    });
    this.#collectTimer = setInterval(() => this.#collect(), COLLECT_INTERVAL_MS).unref();
  }

  /** Opens the replica in its store; what must be durable before the first write is so then. */
  static async open(options: KeygroupOptions): Promise<Keygroup> {
    const wallMs = options.clock.nowMs();
    const { replica, writes } = Replica.open(options.storage, {
      wallMs,
      policy: options.config.policy,
      resumes: options.resumes,
    });
    if (writes.length > 0) {
      options.storage.transact((transaction) => putRows(transaction, writes));
    }
    await options.storage.sync();
    replica.durable(replica.vector.clone());
    return new Keygroup(options, replica);
  }

  get config(): KeygroupConfig {
    return this.#config;
  }

  /** Transactions and syncs so far, for tests that count work. */
  get work(): { readonly commitsTotal: number; readonly syncsTotal: number } {
    const { commitsTotal, syncsTotal } = this.#commits;
    return { commitsTotal, syncsTotal };
  }

  /** Takes a new configuration; writes that wait are committed under it. */
  configure(config: KeygroupConfig): void {
    const isSamePolicy = config.policy === this.#config.policy;
    this.#config = config;
    if (!isSamePolicy) this.#reopenReplica();
  }

  describe(): KeygroupDescription {
    let keys = 0;
    let sizeBytes = 0;
    const nowMs = this.#nowMs();
    for (const row of this.#rows(USER_ITEM_ROWS.start, USER_ITEM_ROWS.end)) {
      const value = this.#valueOf(row.value, nowMs);
      if (!value) continue;
      keys += 1;
      sizeBytes += row.key.length - 1 + value.bytes.length;
    }
    return {
      name: this.name,
      config: this.#config,
      storage: this.#options.storageKind,
      keys,
      sizeBytes,
      members: [this.#options.nodeName],
    };
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
    const { policy } = this.#config;
    const nowMs = this.#nowMs();
    const value = visibleValue(policy, versions, nowMs);
    if (!value) return undefined;
    const visible = visibleVersions(policy, versions, nowMs);
    let expiresAtMs = 0;
    for (const version of visible) {
      if (version.expiresAtMs === 0) continue;
      expiresAtMs = expiresAtMs === 0 ? version.expiresAtMs : Math.min(expiresAtMs, version.expiresAtMs);
    }
    return { value, version: versionToken(visible), expiresAtMs };
  }

  siblings(key: string): readonly TypedValue[] {
    const { policy } = this.#config;
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
      items: page.keys.map((key, index) => ({ key: Buffer.from(key).toString("utf8"), value: page.values[index] })),
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
      const isFull = keys.length >= limit || (keys.length > 0 && sizeBytes > LIMITS.scanPageBytesMax);
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
    const versions = visibleVersions(this.#config.policy, this.#versions(encodeKey(key)), this.#nowMs());
    return {
      key,
      versions: versions.map((version) => ({
        version: versionToken([version]),
        atMs: hlcToMs(version.hlc),
        invocation: version.invocation && Buffer.from(version.invocation).toString("hex"),
        type: typeName(version.value),
        expiresAtMs: version.expiresAtMs,
      })),
    };
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    return new Promise((resolve, reject) => this.submit(request, resolve, reject));
  }

  /** {@link write} with callbacks: the hot path. */
  submit(
    request: WriteRequest,
    acknowledged: (outcome: WriteOutcome) => void,
    failed: (error: unknown) => void,
  ): void {
    let applied: AppliedWrite | undefined;
    this.#commits.add<WriteOutcome>({
      apply: (transaction) => {
        const context = {
          replica: this.#replica,
          reader: transaction,
          wallMs: this.#clock.nowMs(),
          defaultTtlMs: this.#config.ttlMs,
        };
        applied = applyWrite(context, request, (sends) => this.#options.encodeSends(this.name, sends));
        putRows(transaction, applied.writes);
        return applied.outcome;
      },
      acknowledged: (outcome) => {
        acknowledged(outcome);
        applied?.committed();
        if (applied && applied.touched.length > 0) this.#committed(applied.touched);
      },
      failed,
    });
  }

  /**
   * Commits rows of the node's own (the outbox) with this turn's writes; resolves with what `work`
   * gives once they are as durable as the keygroup promises.
   */
  async commitLocal<T>(
    work: (transaction: Transaction) => { readonly writes: readonly RowWrite[]; readonly value: T },
  ): Promise<T> {
    return new Promise((resolve, reject) =>
      this.#commits.add<T>({
        apply: (transaction) => {
          const { writes, value } = work(transaction);
          putRows(transaction, writes);
          return value;
        },
        acknowledged: resolve,
        failed: reject,
      }),
    );
  }

  /** The store, for readers of local rows. */
  get rows(): Pick<Storage, "get" | "range"> {
    return this.#storage;
  }

  watch(
    range: { readonly start?: string; readonly prefix?: string },
    onEvent: (event: WatchEvent) => void,
  ): () => void {
    return this.#watchers.add(range, onEvent);
  }

  *exportItems(): Iterable<ExportedItem> {
    const { policy } = this.#config;
    const nowMs = this.#nowMs();
    for (const row of this.#rows(USER_ITEM_ROWS.start, USER_ITEM_ROWS.end)) {
      const key = itemKeyOf(row.key);
      const entry = this.entryBytes(Buffer.from(key));
      if (!entry) continue;
      const crdt = visibleVersions(policy, decodeItem(row.value), nowMs).find((version) => isCrdt(version.value.tag));
      yield {
        key: Buffer.from(key).toString("utf8"),
        value: crdt ? crdt.value : entry.value,
        expiresAtMs: entry.expiresAtMs,
      };
    }
  }

  async importItems(items: Iterable<ExportedItem>): Promise<number> {
    let imported = 0;
    let chunk: ExportedItem[] = [];
    const flush = async (): Promise<void> => {
      if (chunk.length === 0) return;
      const wallMs = this.#clock.nowMs();
      const live = chunk.filter((item) => item.expiresAtMs === 0 || item.expiresAtMs > wallMs);
      await this.write({
        writes: live.map((item) => ({
          op: "set",
          key: item.key,
          value: item.value,
          ttlMs: item.expiresAtMs === 0 ? 0 : item.expiresAtMs - wallMs,
        })),
      });
      imported += live.length;
      chunk = [];
    };
    for (const item of items) {
      chunk.push(item);
      if (chunk.length >= IMPORT_CHUNK_ITEMS) await flush();
    }
    await flush();
    return imported;
  }

  /** Commits what waits, syncs and closes the store. */
  async close(): Promise<void> {
    clearInterval(this.#collectTimer);
    await this.#commits.drain();
    await this.#storage.close();
  }

  #nowMs(): number {
    return this.#replica.nowMs(this.#clock.nowMs());
  }

  #versions(key: Buffer): Version[] {
    const stored = this.#storage.get(itemRowKey(key));
    return stored ? decodeItem(stored) : [];
  }

  /** What a row shows at `nowMs`. */
  #valueOf(row: Uint8Array, nowMs: number): TypedValue | undefined {
    return soleValue(row, nowMs) ?? visibleValue(this.#config.policy, decodeItem(row), nowMs);
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

  #committed(keys: readonly Uint8Array[]): void {
    if (this.#watchers.isEmpty) return;
    for (const key of keys) {
      const entry = this.entryBytes(Buffer.from(key));
      this.#watchers.notify(Buffer.from(key).toString("utf8"), entry);
    }
  }

  #reopenReplica(): void {
    this.#replica = Replica.open(this.#storage, {
      wallMs: this.#clock.nowMs(),
      policy: this.#config.policy,
      resumes: true,
      hlc: this.#replica.hlc,
    }).replica;
  }

  /** Removes tombstones and expired versions that are certainly no longer needed. */
  #collect(): void {
    if (!hasGarbage(this.#storage, this.#nowMs())) return;
    const wallMs = this.#clock.nowMs();
    this.commitLocal((transaction) => ({
      writes: this.#replica.collect(transaction, { limit: COLLECT_ROWS_MAX, wallMs }),
      value: undefined,
    })).catch((error: unknown) =>
      this.#options.logger.warn({ error: String(error) }, "a collection failed"),
    );
  }
}

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

function pageLimit(limit: number): number {
  return limit === 0 ? LIMITS.scanPageItemsMax : Math.min(limit, LIMITS.scanPageItemsMax);
}

/** The rows of a scan; `undefined` when there can be none. */
function rowRange(request: EncodedScan): { start: Uint8Array; end: Uint8Array } | undefined {
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
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function typeName(value: TypedValue): string {
  const names = Object.entries(TAG);
  return names.find(([, tag]) => tag === value.tag)?.[0] ?? "unknown";
}
