import { Sequences } from "../base/sequences.js";
import type { Placement } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { KeygroupName } from "../core/ids.js";
import type { Keygroup } from "./keygroup.js";
import { KeygroupStores, type KeygroupsOptions } from "./keygroup-stores.js";
import type { NodeKeygroups } from "./node-keygroups.js";
import type { KeygroupConfig } from "./types.js";

/**
 * The keygroups of a node that stands alone: opened at its start, created with functions or by hand,
 * dropped. The node is the founder and only member of each.
 */
export class Keygroups implements NodeKeygroups {
  readonly #options: KeygroupsOptions;
  readonly #stores: KeygroupStores;
  readonly #keygroups = new Map<KeygroupName, Keygroup>();
  /** Changes of one keygroup happen one after another: what races has one of the two orders. */
  readonly #changes = new Sequences();

  constructor(options: KeygroupsOptions) {
    this.#options = options;
    this.#stores = new KeygroupStores(options);
  }

  async open(): Promise<void> {
    for (const { name, config } of this.#stores.rows()) {
      this.#keygroups.set(name, (await this.#stores.open(name, config)).keygroup);
    }
    await this.#stores.dropLeftovers();
  }

  list(): readonly Keygroup[] {
    return [...this.#keygroups.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The keygroup, if it is here. */
  get(name: KeygroupName): Keygroup | undefined {
    return this.#keygroups.get(name);
  }

  find(name: KeygroupName): Keygroup {
    const keygroup = this.#keygroups.get(name);
    if (keygroup) return keygroup;
    throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", `there is no keygroup "${name}" here`);
  }

  async ensure(name: KeygroupName): Promise<Keygroup> {
    return this.#changes.run(
      name,
      async () => this.#keygroups.get(name) ?? this.#make(name, this.#options.defaults),
    );
  }

  async resume(name: KeygroupName): Promise<Keygroup> {
    return this.ensure(name);
  }

  async create(
    name: KeygroupName,
    config: Partial<KeygroupConfig>,
    placement?: Placement,
  ): Promise<Keygroup> {
    if (placement?.kind === "at" && placement.node !== this.#options.nodeName) {
      const detail = `data at ${placement.node}: this node is alone, and named "${this.#options.nodeName}"`;
      throw new EnokiError("ENOKI_UNSUPPORTED", detail);
    }
    return this.#changes.run(name, async () => {
      if (this.#keygroups.has(name)) {
        throw new EnokiError("ENOKI_KEYGROUP_EXISTS", `keygroup "${name}" exists already`);
      }
      return this.#make(name, this.#stores.checked({ ...this.#options.defaults, ...config }));
    });
  }

  async configure(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<Keygroup> {
    return this.#changes.run(name, async () => {
      const keygroup = this.find(name);
      const next = this.#stores.checked({ ...keygroup.config, ...config });
      await this.#stores.configure(keygroup, next);
      return keygroup;
    });
  }

  async remove(name: KeygroupName): Promise<void> {
    await this.#changes.run(name, async () => {
      const keygroup = this.find(name);
      this.#keygroups.delete(name);
      await this.#stores.drop(keygroup);
    });
  }

  async leave(name: KeygroupName): Promise<void> {
    await this.remove(name);
  }

  async close(): Promise<void> {
    await this.#changes.settled();
    await Promise.all(this.list().map((keygroup) => keygroup.close()));
    this.#keygroups.clear();
  }

  async #make(name: KeygroupName, config: KeygroupConfig): Promise<Keygroup> {
    const { keygroup } = await this.#stores.open(name, config);
    await this.#stores.adopt(keygroup);
    this.#keygroups.set(name, keygroup);
    return keygroup;
  }
}
