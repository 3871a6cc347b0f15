import type { Placement } from "../cluster/records.js";
import type { KeygroupName } from "../core/ids.js";
import type { TraceContext } from "../core/trace-context.js";
import type { TypedValue } from "../core/value.js";
import type { SendOrigin } from "./asker.js";
import type { Freshness } from "./freshness.js";
import type { SessionGate } from "./session-gate.js";

/** How concurrent versions of a plain value are treated (design: last writer wins, keep all, join). */
export type ConflictPolicy = "lww" | "siblings" | "merge";

/** When a write is acknowledged: committed in the store, or also synced to the disk. */
export type Durability = "relaxed" | "strict";

/** Configuration of a keygroup. */
export interface KeygroupConfig {
  readonly policy: ConflictPolicy;
  readonly durability: Durability;
  /** Expiry given to writes that name none; 0 = never. */
  readonly ttlMs: number;
}

/** A keygroup for lists and pages. */
export interface KeygroupDescription {
  readonly name: KeygroupName;
  readonly config: KeygroupConfig;
  readonly storage: string;
  readonly keys: number;
  readonly sizeBytes: number;
  readonly members: readonly string[];
}

/** What a reader sees of one key. */
export interface Entry {
  readonly value: TypedValue;
  /** Opaque; also the ETag. */
  readonly version: string;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

/** A page of a scan: `start` inclusive, `end` exclusive, or all keys with `prefix`. */
export interface ScanRequest {
  readonly start?: string;
  readonly end?: string;
  readonly prefix?: string;
  /** `start` itself is left out: the page after a page. */
  readonly after?: boolean;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  /** 0 or more than the maximum = the maximum. */
  readonly limit: number;
}

/** One page, all of one snapshot. */
export interface ScanPage {
  readonly items: readonly { readonly key: string; readonly value: TypedValue | undefined }[];
  readonly more: boolean;
}

/** A key as text, or as UTF-8 that was checked already (`checkKey`): the hot path. */
export type WriteKey = string | Buffer;

/** One change of one key. JSON members are plain JavaScript values here. */
export type WriteOperation =
  | {
      op: "set";
      key: WriteKey;
      value: TypedValue;
      ttlMs?: number | undefined;
      /** Absolute expiry, instead of a ttl; 0 = never. */
      expiresAtMs?: number;
    }
  | { op: "delete"; key: WriteKey }
  | { op: "increment" | "counter.add"; key: string; n: number }
  | { op: "set.add" | "set.remove"; key: string; member: unknown }
  | { op: "map.set"; key: string; field: string; value: unknown }
  | { op: "map.add"; key: string; field: string; n: number }
  | { op: "map.remove"; key: string; field: string };

/** Changes that take effect together or not at all. */
export interface WriteRequest {
  /** `version: null` = the key must be absent. */
  readonly checks?:
    | readonly { readonly key: WriteKey; readonly version: string | null }[]
    | undefined;
  readonly writes: readonly WriteOperation[];
  /** Asynchronous invocations, stored in the same commit. */
  readonly sends?: readonly {
    readonly function: string;
    readonly data: TypedValue;
    readonly orderKey?: string | undefined;
  }[];
  /** The call that sends them, if one does. */
  readonly origin?: SendOrigin | undefined;
  /** Effect-once key: a repeat changes nothing and gives the first outcome. */
  readonly once?: string;
  /** 16 bytes of the invocation that writes, if one does. */
  readonly writer?: Uint8Array | undefined;
  /** The span that writes it, for those who apply it elsewhere; absent where nothing is recorded. */
  readonly trace?: TraceContext | undefined;
}

/** What a write did, one entry per operation in order. */
export interface WriteOutcome {
  readonly results: readonly {
    /** Version after the write; `null` after a delete. */
    readonly version: string | null;
    /** Delete: was there something. */
    readonly existed?: boolean;
    /** Counters: the value after the write. */
    readonly value?: number;
  }[];
  /** True if `once` had been committed before. */
  readonly repeated: boolean;
}

/** A committed change as a watcher sees it. */
export interface WatchEvent {
  readonly key: string;
  /** `undefined` after a delete. */
  readonly value: TypedValue | undefined;
  readonly version: string;
}

/** One line of an export: enough to restore the key as it is. */
export interface ExportedItem {
  readonly key: string;
  readonly value: TypedValue;
  readonly expiresAtMs: number;
}

/** Where a value came from (`enoki kv explain`). */
export interface Explanation {
  readonly key: string;
  readonly versions: readonly {
    readonly version: string;
    /** The member that wrote it, by the epoch at which it joined. */
    readonly member: number;
    readonly atMs: number;
    readonly invocation: string | undefined;
    readonly type: string;
    readonly expiresAtMs: number;
  }[];
}

/** One keygroup on this node. Reads are of the last commit; `write` resolves once acknowledged. */
export interface KeygroupFacade {
  readonly name: KeygroupName;
  /** False while a replica here has not caught up yet: its data are not to be read. */
  readonly isServing: boolean;
  /** Where sessions wait for what they have seen elsewhere. */
  readonly sessions: SessionGate;
  /** How stale reads may be. */
  readonly freshness: Freshness;
  /** Counts the keys, which takes long in a large keygroup; other work goes on meanwhile. */
  describe(): Promise<KeygroupDescription>;
  get(key: string): TypedValue | undefined;
  entry(key: string): Entry | undefined;
  scan(request: ScanRequest): ScanPage;
  siblings(key: string): readonly TypedValue[];
  explain(key: string): Explanation;
  /**
   * @throws EnokiError `ENOKI_VERSION_CONFLICT`, `ENOKI_INVALID_KEY`, `ENOKI_VALUE_TOO_LARGE`,
   * `ENOKI_TYPE_MISMATCH`, `ENOKI_DISK_FULL` … with nothing changed
   */
  write(request: WriteRequest): Promise<WriteOutcome>;
  /** Calls `onEvent` after each commit that touches a key in range; returns the way to stop it. */
  watch(
    range: { readonly start?: string; readonly prefix?: string },
    onEvent: (event: WatchEvent) => void,
  ): () => void;
  /** All keys in order, CRDTs with their state. */
  exportItems(): Iterable<ExportedItem>;
  /** Writes exported items; resolves with their number. */
  importItems(items: Iterable<ExportedItem>): Promise<number>;
}

/** All keygroups of this node. */
export interface KeygroupsFacade {
  list(): readonly KeygroupFacade[];
  /** @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  find(name: KeygroupName): KeygroupFacade;
  /**
   * `undefined`: it has been made, and its data are to lie on other nodes.
   * @throws EnokiError `ENOKI_KEYGROUP_EXISTS`, `ENOKI_UNSUPPORTED`
   */
  create(
    name: KeygroupName,
    config: Partial<KeygroupConfig>,
    placement?: Placement,
  ): Promise<KeygroupFacade | undefined>;
  /** @throws EnokiError `ENOKI_UNSUPPORTED` for a change that the store cannot hold (`strict` in memory) */
  configure(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<KeygroupFacade>;
}
