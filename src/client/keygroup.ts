import { EnokiError } from "../core/errors.js";
import { parseKeygroupName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import { TAG } from "../core/value.js";
import type { JsonValue } from "../channel/values.js";
import { KvBatch } from "../guest/kv-batch.js";
import { counterOf, mapOf, setOf } from "../guest/kv-crdt.js";
import { Updater, type UpdateFunction } from "../guest/kv-update.js";
import {
  checkAmount,
  checkBound,
  checkJsonMember,
  checkKey,
  decodeJsonValue,
  encodeValue,
  parseTtlMs,
  refuseFresh,
  toUint8Array,
} from "../guest/kv-values.js";
import type { Operations } from "../guest/operations.js";
import {
  DELETE,
  type Batch,
  type Counter,
  type Entry,
  type Json,
  type Kv,
  type MapOf,
  type ReadOptions,
  type Scan,
  type ScanOptions,
  type ScanRange,
  type SetOf,
  type SetOptions,
  type Stored,
  type Update,
  type Value,
  type WatchEvent,
} from "../guest/types.js";
import { jsonOperations } from "./json-operations.js";
import { query, segment } from "./options.js";
import { fetchItems, freshParameters, PageScan, toRange, type PageItem } from "./page-scan.js";
import { text, type Body, type ClientAnswer, type Requests } from "./transport.js";
import { importLines, type ExportLine } from "./transfer.js";
import type { Explanation } from "./types.js";

/** How a value is stored: as text, as bytes, or as JSON. */
export type ValueType = "str" | "bytes" | "json";

/** An entry that also says how its value is stored. */
export interface TypedEntry<T = Stored> extends Entry<T> {
  readonly type: ValueType;
}

/** A change that also says how the value is stored; `undefined` after a delete. */
export interface TypedWatchEvent<T = Stored> extends WatchEvent<T> {
  readonly type: ValueType | undefined;
}

/** Options of {@link KeygroupClient.set}. */
export interface ClientSetOptions extends SetOptions {
  /** Store a string as JSON instead of as text. */
  readonly as?: "json";
}

/** Requests at once when several keys are read. */
const READS_AT_ONCE = 16;

/**
 * A keygroup, seen from outside: everything that a function can do with its `kv`, and what only
 * its owner needs. Values come back as the type that was written.
 */
export class KeygroupClient implements Kv {
  readonly DELETE: typeof DELETE = DELETE;
  readonly name: string;
  readonly #admin: Requests;
  readonly #path: string;
  readonly #operations: Operations;
  readonly #updater: Updater;

  constructor(admin: Requests, name: string) {
    this.#admin = admin;
    this.name = name;
    this.#path = `/v1/keygroups/${parseKeygroupName(name)}`;
    this.#operations = jsonOperations(admin, this.#path);
    this.#updater = new Updater(this.#operations, this);
  }

  async get<T>(key: string, defaultValue?: unknown, options?: ReadOptions): Promise<T> {
    const found = await this.entry<T>(key, options);
    return found === undefined ? (defaultValue as T) : found.value;
  }

  async entry<T = Stored>(key: string, options?: ReadOptions): Promise<TypedEntry<T> | undefined> {
    try {
      const path = this.#keyPath(key) + query(freshParameters(options));
      return toEntry<T>(await this.#admin.request(path));
    } catch (error) {
      if (error instanceof EnokiError && error.code === "ENOKI_KEY_NOT_FOUND") return undefined;
      throw error;
    }
  }

  async set(key: string, value: Value, options: ClientSetOptions = {}): Promise<string> {
    const { contentType, body } = toBody(value, options.as);
    const headers = conditions(options);
    headers.set("content-type", contentType);
    const answer = await this.#admin.json<{ version: string }>(this.#keyPath(key), {
      method: "PUT",
      headers,
      body: body as Body,
    });
    return answer.version;
  }

  async delete(key: string, options: { readonly ifVersion?: string } = {}): Promise<boolean> {
    const answer = await this.#admin.json<{ existed: boolean }>(this.#keyPath(key), {
      method: "DELETE",
      headers: conditions(options),
    });
    return answer.existed;
  }

  async exists(key: string, options?: ReadOptions): Promise<boolean> {
    const path = this.#keyPath(key) + query(freshParameters(options));
    const { status } = await this.#admin.send(path, { method: "HEAD" });
    // why: an answer to HEAD cannot say what is wrong, and a missing keygroup is no missing key.
    return status === 200 || (await this.entry(key, options)) !== undefined;
  }

  /** The values of several keys, each read on its own; missing ones are not in the map. */
  async getMany<T>(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, T>> {
    const unique = [...new Set(keys)];
    const found = new Map<string, T>();
    for (let at = 0; at < unique.length; at += READS_AT_ONCE) {
      const part = unique.slice(at, at + READS_AT_ONCE);
      const entries = await Promise.all(part.map((key) => this.entry<T>(key, options)));
      for (const [i, entry] of entries.entries()) {
        if (entry !== undefined) found.set(part[i] as string, entry.value);
      }
    }
    return found;
  }

  scan<T>(from?: string | ScanRange, options?: ScanOptions): Scan<[key: string, value: T]> {
    const items = fetchItems(this.#admin, this.#path, toRange(from, options), true);
    return new PageScan(
      map(items, ({ key, value }) => [key, decodeJsonValue(value as JsonValue) as T]),
    );
  }

  keys(from?: string | ScanRange, options?: ScanOptions): Scan<string> {
    const items = fetchItems(this.#admin, this.#path, toRange(from, options), false);
    return new PageScan(map(items, ({ key }) => key));
  }

  /** Keys as the API lists them: values, if asked for, carry the type they are stored with. */
  items(
    range: ScanRange,
    options: { readonly values?: boolean } = {},
  ): AsyncIterableIterator<PageItem> {
    return fetchItems(this.#admin, this.#path, toRange(range), options.values === true);
  }

  async update<T extends Value>(
    key: string,
    fn: (value: T | undefined) => Update<T> | Promise<Update<T>>,
    options?: { readonly once?: string },
  ): Promise<T | undefined> {
    const updated = this.#updater.update(checkKey(key), fn as UpdateFunction, options?.once);
    return (await updated) as T | undefined;
  }

  async increment(key: string, n = 1): Promise<number> {
    const json = { op: "increment", key: checkKey(key), n: checkAmount(n) };
    const path = `${this.#path}/operations`;
    return (await this.#admin.json<{ value: number }>(path, { method: "POST", json })).value;
  }

  counter(key: string): Counter {
    return counterOf(this.#operations, checkKey(key));
  }

  setOf<T extends Json>(key: string): SetOf<T> {
    return setOf<T>(this.#operations, checkKey(key));
  }

  map(key: string): MapOf {
    return mapOf(this.#operations, checkKey(key));
  }

  batch(): Batch {
    return new KvBatch(this.#operations);
  }

  async siblings<T>(key: string, options?: unknown): Promise<T[]> {
    refuseFresh("siblings()", options);
    const json = { op: "siblings", key: checkKey(key) };
    const path = `${this.#path}/operations`;
    const answer = await this.#admin.json<{ values: JsonValue[] }>(path, { method: "POST", json });
    return answer.values.map((value) => decodeJsonValue(value) as T);
  }

  /** Changes from now on; ends when the loop over it is left or `signal` aborts. */
  watch<T = Stored>(
    from: string | { readonly prefix: string } = "",
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<TypedWatchEvent<T>> {
    const range =
      typeof from === "string"
        ? { start: checkBound(from) || undefined }
        : { prefix: checkBound(from.prefix) };
    const lines = this.#admin.lines(`${this.#path}/watch${query(range)}`, options);
    return map(lines as AsyncGenerator<WatchLine>, ({ key, value, version }) => ({
      key,
      value: value === null ? undefined : (decodeJsonValue(value) as T),
      type: value?.t,
      version,
    }));
  }

  /** Where the value of a key comes from. @throws EnokiError `ENOKI_KEY_NOT_FOUND` */
  async explain(key: string): Promise<Explanation> {
    return await this.#admin.json(`${this.#keyPath(key)}/explain`);
  }

  /** All keys in order, each with all that is needed to restore it. */
  export(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ExportLine> {
    return this.#admin.lines(`${this.#path}/export`, options) as AsyncGenerator<ExportLine>;
  }

  /** Writes exported lines and returns how many keys were written. */
  async import(lines: AsyncIterable<ExportLine> | Iterable<ExportLine>): Promise<number> {
    return await importLines(this.#admin, this.#path, lines);
  }

  keygroup(name: string): KeygroupClient {
    return name === this.name ? this : new KeygroupClient(this.#admin, name);
  }

  #keyPath(key: string): string {
    return `${this.#path}/keys/${segment(checkKey(key))}`;
  }
}

interface WatchLine {
  readonly key: string;
  readonly value: JsonValue | null;
  readonly version: string;
}

function toEntry<T>({ headers, body }: ClientAnswer): TypedEntry<T> {
  const type = typeOfContent(headers.get("content-type") ?? "");
  const expiresAt = headers.get("enoki-expires-at");
  return {
    value: decode(type, body) as T,
    type,
    version: unquote(headers.get("etag") ?? ""),
    expiresAt: expiresAt === null ? undefined : toDate(expiresAt),
  };
}

function typeOfContent(contentType: string): ValueType {
  if (contentType.startsWith("text/")) return "str";
  return contentType.startsWith("application/json") ? "json" : "bytes";
}

function decode(type: ValueType, body: Uint8Array): unknown {
  if (type === "bytes") return toUint8Array(Buffer.from(body));
  return type === "str" ? text(body) : (JSON.parse(text(body)) as unknown);
}

/** A time as a header has it: milliseconds since 1970, or text that a `Date` understands. */
function toDate(header: string): Date {
  return new Date(/^\d+$/.test(header) ? Number(header) : header);
}

function unquote(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, "$1");
}

function toBody(
  value: Value,
  as: "json" | undefined,
): { contentType: string; body: string | Uint8Array } {
  if (as === "json") {
    return { contentType: "application/json", body: JSON.stringify(checkJsonMember(value)) };
  }
  const { tag, content } = encodeValue(value);
  if (tag === TAG.str) return { contentType: "text/plain; charset=utf-8", body: content };
  const contentType = tag === TAG.json ? "application/json" : "application/octet-stream";
  return { contentType, body: content };
}

function conditions({ ttl, ifVersion, ifAbsent }: SetOptions): Headers {
  if (ifVersion !== undefined && ifAbsent === true) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "ifVersion and ifAbsent exclude each other");
  }
  const headers = new Headers();
  if (ifVersion !== undefined) headers.set("if-match", `"${checkVersion(ifVersion)}"`);
  if (ifAbsent === true) headers.set("if-none-match", "*");
  if (ttl !== undefined) {
    parseTtlMs(ttl);
    headers.set("enoki-ttl", ttl);
  }
  return headers;
}

function checkVersion(version: string): string {
  const isVersion = /^[\x21\x23-\x7e]+$/.test(version) && version.length <= LIMITS.keySizeBytesMax;
  if (isVersion) return version;
  throw new EnokiError("ENOKI_INVALID_INPUT", `${JSON.stringify(version)} is no version of a key`);
}

async function* map<From, To>(
  items: AsyncIterable<From>,
  fn: (item: From) => To,
): AsyncGenerator<To> {
  for await (const item of items) yield fn(item);
}
