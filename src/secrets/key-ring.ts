import { EnokiError } from "../core/errors.js";
import type { ClusterKey } from "./cluster-keys.js";

/** Where a node keeps a key of its own, which it makes when the first secret is to be sealed. */
export interface OwnKeys {
  /** Those that are there already. */
  readonly keys: readonly ClusterKey[];
  /** Makes one, on disk; `undefined` = this node is to be given its keys. */
  readonly make: (() => Promise<readonly ClusterKey[]>) | undefined;
}

/** The cluster keys of a node, or of the nodes of one process. */
export class KeyRing {
  readonly #given: readonly ClusterKey[];
  readonly #make: OwnKeys["make"];
  #own: readonly ClusterKey[];
  #making: Promise<readonly ClusterKey[]> | undefined;

  /** From the keys that the node was given, if it was, and those that it has made for itself. */
  constructor(given: readonly ClusterKey[], own: OwnKeys) {
    this.#given = given;
    this.#own = own.keys;
    this.#make = own.make;
  }

  /** The key of that id, to open with. */
  find(id: string): ClusterKey | undefined {
    return [...this.#given, ...this.#own].find((key) => key.id === id);
  }

  /** The key to seal with. @throws EnokiError `ENOKI_CLUSTER_KEY_REQUIRED` */
  async sealing(): Promise<ClusterKey> {
    const [given] = this.#given;
    if (given) return given;
    if (!this.#make) {
      const detail = "a node with a naming service seals secrets with a key that all nodes have";
      throw new EnokiError("ENOKI_CLUSTER_KEY_REQUIRED", detail);
    }
    const [own] = this.#own;
    if (own) return own;
    this.#making ??= this.#make().finally(() => (this.#making = undefined));
    this.#own = await this.#making;
    return this.#own[0] as ClusterKey;
  }
}
