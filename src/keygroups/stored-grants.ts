import { granted } from "../cluster/keygroup-changes.js";
import { grantsSchema } from "../cluster/record-codec.js";
import { rightsIn, type Grant, type Grantee } from "../cluster/records.js";
import type { KeygroupName } from "../core/ids.js";
import type { Right } from "../core/rights.js";
import type { Storage } from "../ports/storage.js";
import type { Grants } from "./grants.js";

/** First byte of the row with the grants of a keygroup in the node's own store. */
const ROW_PREFIX = "r";

/** What {@link StoredGrants} works with. */
export interface StoredGrantsOptions {
  readonly nodeStore: Storage;
  /** @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  readonly find: (name: KeygroupName) => unknown;
}

/**
 * The grants of a node that is alone, in its own store. They go in the transaction in which the
 * keygroup goes, so one that is made again has none.
 */
export class StoredGrants implements Grants {
  readonly #options: StoredGrantsOptions;
  readonly #listeners = new Set<(name: KeygroupName) => void>();

  constructor(options: StoredGrantsOptions) {
    this.#options = options;
  }

  rightsOf(name: KeygroupName, grantee: Grantee): readonly Right[] {
    return rightsIn({ grants: this.#read(name) }, grantee);
  }

  list(name: KeygroupName): readonly Grant[] {
    this.#options.find(name);
    return this.#read(name);
  }

  async set(
    name: KeygroupName,
    grantee: Grantee,
    rights: readonly Right[],
  ): Promise<readonly Grant[]> {
    const { nodeStore } = this.#options;
    const { grants } = granted({ grants: this.list(name) }, grantee, rights);
    const value = Buffer.from(JSON.stringify(grants), "utf8");
    nodeStore.transact((transaction) => transaction.put(grantsRowKey(name), value));
    await nodeStore.sync();
    this.dropped(name);
    return grants;
  }

  subscribe(changed: (name: KeygroupName) => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  /** Its row is gone, or another one. */
  dropped(name: KeygroupName): void {
    for (const changed of this.#listeners) changed(name);
  }

  #read(name: KeygroupName): readonly Grant[] {
    const row = this.#options.nodeStore.get(grantsRowKey(name));
    return row ? grantsSchema.parse(JSON.parse(Buffer.from(row).toString("utf8"))) : [];
  }
}

/** Key of the row with the grants of a keygroup. */
export function grantsRowKey(name: KeygroupName): Buffer {
  return Buffer.from(ROW_PREFIX + name, "utf8");
}
