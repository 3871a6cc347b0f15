/** JSON that a keygroup can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** What `set` takes: text, bytes or JSON. */
export type Value = Json | Uint8Array | ArrayBuffer;

/**
 * What a reader gets: the type that was written, bytes always as `Uint8Array`. It is `any`-like on
 * purpose: say what you expect, as in `kv.get<string>("key")`.
 */
export type Stored = string | Uint8Array | number | boolean | null | object;

/** How fresh a read must be. Without `maxStaleness` it shows what is here, without a wait. */
export interface ReadOptions {
  /** What is read was overwritten nowhere longer ago: a duration such as `5s`. */
  readonly maxStaleness?: string;
  /**
   * What happens if the replica here cannot say so: `wait` until it can, the default; ask another
   * one (`peer`); `serve` what is here; `fail` at once. What is in vain ends with `ENOKI_STALE`.
   */
  readonly onStale?: "wait" | "peer" | "serve" | "fail";
  /** How long is waited or asked around: a duration such as `200ms`; 5 seconds unless said. */
  readonly within?: string;
}

/** Conditions and lifetime of a `set`. */
export interface SetOptions {
  /** A duration such as `10m`; without it the value stays, and an older lifetime ends. */
  readonly ttl?: string;
  /** Only if the key still has this version, else `ENOKI_VERSION_CONFLICT`. */
  readonly ifVersion?: string;
  /** Only if the key is missing, else `ENOKI_VERSION_CONFLICT`. */
  readonly ifAbsent?: boolean;
}

/** A value with what is known about it. */
export interface Entry<T = Stored> {
  readonly value: T;
  /** Opaque; good for `ifVersion`. */
  readonly version: string;
  /** `undefined`: it stays. */
  readonly expiresAt: Date | undefined;
}

/** Bounds of a scan, and how fresh each of its pages must be. */
export interface ScanOptions extends ReadOptions {
  /** Exclusive. */
  readonly end?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** A scan from a key (inclusive) or over a prefix, which excludes `start` and `end`. */
export interface ScanRange extends ScanOptions {
  readonly start?: string;
  readonly prefix?: string;
}

/** The results of a scan, fetched page by page; each page is one snapshot. */
export interface Scan<T> extends AsyncIterableIterator<T> {
  /** All results in one array. */
  toArray(): Promise<T[]>;
}

/** A counter that every node may add to. */
export interface Counter {
  /** Returns the new value. */
  add(n?: number): Promise<number>;
  value(): Promise<number>;
}

/** A set that every node may change. */
export interface SetOf<T extends Json = Json> {
  add(member: T): Promise<void>;
  remove(member: T): Promise<void>;
  value(): Promise<T[]>;
}

/** A map whose fields every node may change. */
export interface MapOf {
  set(field: string, value: Json): Promise<void>;
  /** Adds to a number in a field; returns the new value. */
  add(field: string, n?: number): Promise<number>;
  remove(field: string): Promise<void>;
  value(): Promise<Record<string, Json>>;
}

/** What a batch did. */
export interface BatchResult {
  /** One per write in order; a deleted key has none. */
  readonly versions: readonly (string | null)[];
  /** The `once` key was seen before: nothing was done this time. */
  readonly repeated: boolean;
}

/** Several writes that happen together or not at all. */
export interface Batch {
  /** The batch fails with `ENOKI_VERSION_CONFLICT` unless `key` has `version` (`null`: is missing). */
  check(key: string, version: string | null | undefined): Batch;
  set(key: string, value: Value, options?: { readonly ttl?: string }): Batch;
  delete(key: string): Batch;
  increment(key: string, n?: number): Batch;
  /** Calls a function asynchronously once the writes are stored. */
  send(functionName: string, data?: Value, options?: { readonly orderKey?: string }): Batch;
  /** Takes effect once per `idempotencyKey`; later commits report `repeated`. */
  once(idempotencyKey: string): Batch;
  commit(): Promise<BatchResult>;
}

/** A change that a watch reports; `value` is `undefined` when the key was deleted. */
export interface WatchEvent<T = Stored> {
  readonly key: string;
  readonly value: T | undefined;
  readonly version: string;
}

/** The state of a function: a keygroup. Refusals are {@link EnokiError}s with a `code`. */
export interface Kv {
  /** The value, or `defaultValue` when the key is missing or has expired. */
  get<T = Stored>(key: string): Promise<T | undefined>;
  get<T = Stored, D = T>(key: string, defaultValue: D, options?: ReadOptions): Promise<T | D>;
  /** The value with its version and expiry. */
  entry<T = Stored>(key: string, options?: ReadOptions): Promise<Entry<T> | undefined>;
  /** Stores a value and returns its version. */
  set(key: string, value: Value, options?: SetOptions): Promise<string>;
  /** Returns whether the key existed. */
  delete(key: string): Promise<boolean>;
  exists(key: string, options?: ReadOptions): Promise<boolean>;
  /** The values of several keys, 1,000 per snapshot; missing ones are not in the map. */
  getMany<T = Stored>(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, T>>;
  /** Pairs in the order of their keys' UTF-8 bytes. */
  scan<T = Stored>(start?: string, options?: ScanOptions): Scan<[key: string, value: T]>;
  scan<T = Stored>(range: ScanRange): Scan<[key: string, value: T]>;
  /** The same without values. */
  keys(start?: string, options?: ScanOptions): Scan<string>;
  keys(range: ScanRange): Scan<string>;
  /**
   * Changes a value atomically and returns the new one. `fn` may run more than once. When it
   * returns `undefined` the key stays as it is; {@link DELETE} deletes it; an exception aborts.
   */
  update<T extends Value = Value>(
    key: string,
    fn: (value: T | undefined) => Update<T> | Promise<Update<T>>,
    options?: { readonly once?: string },
  ): Promise<T | undefined>;
  /** Adds to a counter and returns its value. */
  increment(key: string, n?: number): Promise<number>;
  counter(key: string): Counter;
  setOf<T extends Json = Json>(key: string): SetOf<T>;
  map(key: string): MapOf;
  batch(): Batch;
  /** All concurrent values of a key. */
  siblings<T = Stored>(key: string): Promise<T[]>;
  /** Changes from now on; ends when the loop over it is left. */
  watch<T = Stored>(start: string): AsyncIterableIterator<WatchEvent<T>>;
  watch<T = Stored>(range: { readonly prefix: string }): AsyncIterableIterator<WatchEvent<T>>;
  /** Another keygroup, where granted; otherwise its methods fail with `ENOKI_FORBIDDEN`. */
  keygroup(name: string): Kv;
  /** Returned by an `update` function to delete the key. */
  readonly DELETE: typeof DELETE;
}

/** See {@link Kv.DELETE}. */
export const DELETE: unique symbol = Symbol.for("enoki.kv.DELETE");

/** What the function of an `update` may return. */
export type Update<T> = T | undefined | void | typeof DELETE;

/** What a function knows about the call that it serves. Members are decoded when they are read. */
export interface Context {
  readonly method: string;
  /** What follows the function's name in the URL: `""` or `"/…"`, percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names are in lower case; repeated ones are joined by `", "`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly invocationId: string;
  /** When the call is given up. */
  readonly deadline: Date;
  /** The same on every retry of an invocation; `undefined` if there is none. */
  readonly idempotencyKey: string | undefined;
  /** Aborted when the caller has gone or the deadline has passed. */
  readonly signal: AbortSignal;
  /** The body as JSON. @throws EnokiError `ENOKI_INVALID_INPUT`: answers 400 unless caught */
  json<T = unknown>(): T;
  bytes(): Uint8Array;
  text(): string;
}

/** How another function is called. */
export interface CallOptions {
  /** Longest wait: a duration such as `5s`; in any case no longer than this call itself may take. */
  readonly timeout?: string;
  /** Lets it be tried again on another node after a break in which it may have run. */
  readonly idempotencyKey?: string;
  /** `POST` unless said. */
  readonly method?: string;
  /** What follows the function's name in a URL, percent-encoded: `/orders?open=1`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
}

/** How something is sent to another function. */
export interface SendOptions {
  /** What is sent with one key is handled in the order in which it was sent, one after the other. */
  readonly orderKey?: string;
  /** A repeated one sends nothing and gives the id of the first. */
  readonly idempotencyKey?: string;
  /** As in {@link CallOptions}. */
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
}

/** Status, headers and body, made by `response()`. */
export interface ResponseInit {
  /** 200 to 599. */
  readonly status?: number;
  /** `content-type` overrides the one that follows from the body. */
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
}

/** A function: `export function call(input, ctx) { … }`. */
export type Handler<Input = unknown> = (input: Input, ctx: Context) => unknown;

/** The other form of a function: `export default { fetch(request) { … } }`. */
export interface FetchHandler {
  fetch(request: Request, ctx: Context): Response | Promise<Response>;
}
