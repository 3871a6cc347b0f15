import { decodeRecord, encodeRecord } from "../cluster/record-codec.js";
import { tokenKey } from "../cluster/record-keys.js";
import type { TokenRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { Storage } from "../ports/storage.js";
import type { TokenBook } from "./token-book.js";

/** First byte of a token's row in the node's own store. */
const ROW_PREFIX = "t";

/** Tokens in the node's own store: all of a node that is alone, and those that were made offline. */
export class StoredTokens implements TokenBook {
  readonly #storage: Storage;
  readonly #tokens = new Map<string, TokenRecord>();

  /** @throws EnokiError `ENOKI_NAMING_RECORD` if a newer version stored one */
  constructor(storage: Storage) {
    this.#storage = storage;
    const end = Buffer.from(String.fromCharCode(ROW_PREFIX.charCodeAt(0) + 1));
    for (const { key, value } of storage.range({ start: Buffer.from(ROW_PREFIX), end })) {
      const id = Buffer.from(key).toString("utf8").slice(ROW_PREFIX.length);
      const known = decodeRecord(tokenKey(id), Buffer.from(value).toString("utf8"));
      if (known?.kind === "token") this.#tokens.set(id, known.record);
    }
  }

  find(id: string): TokenRecord | undefined {
    return this.#tokens.get(id);
  }

  all(): readonly TokenRecord[] {
    return [...this.#tokens.values()];
  }

  async add(token: TokenRecord): Promise<void> {
    await this.#store(token);
  }

  async revoke(id: string): Promise<void> {
    const token = this.find(id);
    if (!token) throw new EnokiError("ENOKI_TOKEN_NOT_FOUND", `there is no token ${id}`);
    await this.#store({ ...token, serial: token.serial + 1, isRevoked: true });
  }

  /** Forgets a token that is kept elsewhere from now on. */
  async forget(id: string): Promise<void> {
    this.#storage.transact((transaction) => transaction.delete(rowKey(id)));
    this.#tokens.delete(id);
    await this.#storage.sync();
  }

  async #store(record: TokenRecord): Promise<void> {
    const value = Buffer.from(encodeRecord({ kind: "token", record }), "utf8");
    this.#storage.transact((transaction) => transaction.put(rowKey(record.id), value));
    await this.#storage.sync();
    this.#tokens.set(record.id, record);
  }
}

function rowKey(id: string): Buffer {
  return Buffer.from(`${ROW_PREFIX}${id}`, "utf8");
}
