import { decodeItem, dotsOf, type Version } from "../core/item.js";
import type { Replica } from "../core/replica.js";
import { INTERNAL_KEY_PREFIX, itemKeyOf, ROW_PREFIX, type RowRange } from "../core/rows.js";
import { versionToken } from "../core/visible.js";
import type { Logger } from "../ports/logger.js";
import type { Row, Transaction } from "../ports/storage.js";
import type { SendOrigin } from "./asker.js";
import type { KeyChange, Reaction, Reactions } from "./reactions.js";
import { shownOf } from "./shown.js";

/** What a {@link NotingTransaction} works with. */
export interface NotingOptions {
  readonly transaction: Transaction;
  readonly reactions: Reactions;
  readonly replica: Replica;
  readonly nowMs: number;
  /** Set for a commit that is made here. */
  readonly own: { readonly origin: SendOrigin | undefined } | undefined;
  readonly logger: Logger;
}

/** What is held before what follows from it is stored: a catch-up may change millions of keys. */
const NOTED_KEYS_MAX = 10_000;
const NOTED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The transaction of one step, which notes what readers see of the keys that matter before and after
 * it, and stores what follows from that. Whatever goes wrong with that is logged and left out: the step
 * itself is not touched by it.
 */
export class NotingTransaction implements Transaction {
  readonly #options: NotingOptions;
  readonly #before = new Map<
    string,
    { readonly rowKey: Uint8Array; readonly row: Uint8Array | undefined }
  >();
  readonly #committed: (() => void)[] = [];
  #bytes = 0;

  constructor(options: NotingOptions) {
    this.#options = options;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#options.transaction.get(key);
  }

  range(options: RowRange): Row[] {
    return this.#options.transaction.range(options);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#note(key);
    this.#options.transaction.put(key, value);
  }

  delete(key: Uint8Array): void {
    this.#note(key);
    this.#options.transaction.delete(key);
  }

  /** Stores what follows from everything so far; to be called at the end of the step. */
  end(): void {
    if (this.#before.size === 0) return;
    const { transaction, reactions, own, logger } = this.#options;
    let reaction: Reaction;
    try {
      const changes = this.#changes();
      if (changes.length === 0) return;
      reaction = reactions.to(changes, {
        isOwn: own !== undefined,
        origin: own?.origin,
        reader: transaction,
      });
    } catch (error) {
      const text = error instanceof Error ? error.stack : String(error);
      logger.error({ error: text }, "what follows from a change could not be found out");
      return;
    } finally {
      this.#before.clear();
      this.#bytes = 0;
    }
    for (const { key, value } of reaction.writes) {
      if (value === undefined) transaction.delete(key);
      else transaction.put(key, value);
    }
    this.#committed.push(reaction.committed);
  }

  /** To be called once the transaction is committed. */
  committed(): void {
    for (const tell of this.#committed) tell();
  }

  #note(rowKey: Uint8Array): void {
    if (rowKey[0] !== ROW_PREFIX.item || rowKey[1] === INTERNAL_KEY_PREFIX) return;
    const { transaction, reactions } = this.#options;
    if (!reactions.wants(itemKeyOf(rowKey))) return;
    const name = Buffer.from(rowKey.buffer, rowKey.byteOffset, rowKey.length).toString("latin1");
    if (this.#before.has(name)) return;
    const isFull = this.#before.size >= NOTED_KEYS_MAX || this.#bytes >= NOTED_BYTES_MAX;
    if (isFull) this.end();
    const row = transaction.get(rowKey);
    this.#bytes += rowKey.length + (row?.length ?? 0);
    this.#before.set(name, { rowKey: Uint8Array.from(rowKey), row });
  }

  #changes(): KeyChange[] {
    const { transaction, replica, nowMs } = this.#options;
    return [...this.#before.values()].flatMap(({ rowKey, row }) => {
      const all = versionsIn(transaction.get(rowKey));
      const before = shownOf(replica.policy, versionsIn(row), nowMs);
      const after = shownOf(replica.policy, all, nowMs);
      if (before?.version === after?.version) return [];
      const versions = after?.versions ?? all;
      return [
        {
          key: Buffer.from(itemKeyOf(rowKey)),
          before: before?.value,
          after: after?.value,
          version: versionToken(versions),
          dots: dotsOf(versions),
          hlc: Math.max(0, ...versions.map((one) => one.hlc)),
        },
      ];
    });
  }
}

function versionsIn(row: Uint8Array | undefined): readonly Version[] {
  return row ? decodeItem(row) : [];
}
