import { ByteMap } from "./byte-map.js";
import { decodeItem, type Version } from "./item.js";
import { pushRowChanges } from "./live-set.js";
import { itemRowKey, type RowReader, type RowWrite } from "./rows.js";

interface Change {
  readonly key: Uint8Array;
  readonly rowKey: Uint8Array;
  readonly before: readonly Version[];
  after: readonly Version[];
}

/** Live versions as several steps of one call change them; the rows are written once, at its end. */
export class ItemChanges {
  readonly #reader: RowReader;
  readonly #changes = new ByteMap<Change>();

  constructor(reader: RowReader) {
    this.#reader = reader;
  }

  /** The live versions of a key, with what was set here. */
  get(key: Uint8Array): readonly Version[] {
    return this.#load(key).after;
  }

  /** Sets the live versions of a key, in their policy's form. */
  set(key: Uint8Array, versions: readonly Version[]): void {
    this.#load(key).after = versions;
  }

  /** The writes that store everything set. */
  writes(): RowWrite[] {
    const writes: RowWrite[] = [];
    for (const change of this.#changes.values()) {
      if (change.after === change.before) continue;
      pushRowChanges(writes, change, change.before, change.after);
    }
    return writes;
  }

  #load(key: Uint8Array): Change {
    const known = this.#changes.get(key);
    if (known) return known;
    const rowKey = itemRowKey(key);
    const stored = this.#reader.get(rowKey);
    const before = stored ? decodeItem(stored) : [];
    const change = { key, rowKey, before, after: before };
    this.#changes.set(key, change);
    return change;
  }
}
