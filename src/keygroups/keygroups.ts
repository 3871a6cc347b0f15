import { Sequences } from "../base/sequences.js";
import { EnokiError } from "../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";
import { Keygroup } from "./keygroup.js";
import type { KeygroupConfig, KeygroupsFacade } from "./types.js";
import type { SendEncoder } from "./write.js";

/** What the keygroups of a node are opened from. */
export interface KeygroupsOptions {
  readonly driver: StorageDriver;
  readonly storageKind: string;
  readonly nodeName: string;
  /** The node's own store: it holds the configurations. */
  readonly nodeStore: Storage;
  /** See `Replica.open`. */
  readonly resumes: boolean;
  readonly defaults: KeygroupConfig;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly syncIntervalMs: number;
  readonly encodeSends: SendEncoder;
  /** Called as a keygroup is removed, before its store closes. */
  readonly dropped: (name: KeygroupName) => void;
}

/** First byte of a keygroup's row in the node's own store. */
const ROW_PREFIX = "g";
/** Prefix of a keygroup's store among the stores of the driver. */
const STORE_PREFIX = "kg-";

/** The keygroups of this node: opened at its start, created with functions or by hand, dropped. */
export class Keygroups implements KeygroupsFacade {
  readonly #options: KeygroupsOptions;
  readonly #keygroups = new Map<KeygroupName, Keygroup>();
  /** Changes of one keygroup happen one after another: what races has one of the two orders. */
  readonly #changes = new Sequences();

  constructor(options: KeygroupsOptions) {
    this.#options = options;
  }

  /** Opens every keygroup that was here before. */
  async open(): Promise<void> {
    const { nodeStore, driver } = this.#options;
    const end = Buffer.from(String.fromCharCode(ROW_PREFIX.charCodeAt(0) + 1));
    const kept = new Set<string>();
    for (const row of nodeStore.range({ start: Buffer.from(ROW_PREFIX), end })) {
      const name = parseKeygroupName(Buffer.from(row.key).toString("utf8", 1));
      const config = JSON.parse(Buffer.from(row.value).toString("utf8")) as KeygroupConfig;
      kept.add(STORE_PREFIX + name);
      this.#keygroups.set(name, await this.#openStore(name, config));
    }
    // A drop that was cut off between the record and the store is completed here.
    for (const store of await driver.list()) {
      if (store.startsWith(STORE_PREFIX) && !kept.has(store)) await driver.drop(store);
    }
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

  /** The keygroup, made now if there is none. */
  async ensure(name: KeygroupName): Promise<Keygroup> {
    return this.#changes.run(
      name,
      async () => this.#keygroups.get(name) ?? this.#make(name, this.#options.defaults),
    );
  }

  async create(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<Keygroup> {
    return this.#changes.run(name, async () => {
      if (this.#keygroups.has(name)) {
        throw new EnokiError("ENOKI_KEYGROUP_EXISTS", `keygroup "${name}" exists already`);
      }
      return this.#make(name, this.#checked({ ...this.#options.defaults, ...config }));
    });
  }

  async configure(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<Keygroup> {
    return this.#changes.run(name, async () => {
      const keygroup = this.find(name);
      const before = keygroup.config;
      const next = this.#checked({ ...before, ...config });
      try {
        if (next.durability === "strict" && before.durability !== "strict") {
          // A strict row says that no dot was acknowledged unsynced, so it comes after all of that.
          keygroup.configure({ ...before, durability: "strict" });
          await keygroup.sync();
        }
        await this.#remember(name, next);
      } catch (error) {
        keygroup.configure(before);
        throw error;
      }
      keygroup.configure(next);
      return keygroup;
    });
  }

  async remove(name: KeygroupName): Promise<void> {
    await this.#changes.run(name, async () => {
      const keygroup = this.find(name);
      const { nodeStore, driver } = this.#options;
      nodeStore.transact((transaction) => transaction.delete(rowKey(name)));
      this.#keygroups.delete(name);
      this.#options.dropped(name);
      await nodeStore.sync();
      await keygroup.close();
      await driver.drop(STORE_PREFIX + name);
    });
  }

  /** Commits, syncs and closes all of them. */
  async close(): Promise<void> {
    await this.#changes.settled();
    await Promise.all(this.list().map((keygroup) => keygroup.close()));
    this.#keygroups.clear();
  }

  async #make(name: KeygroupName, config: KeygroupConfig): Promise<Keygroup> {
    const keygroup = await this.#openStore(name, config);
    try {
      await this.#remember(name, config);
    } catch (error) {
      await keygroup.close();
      await this.#options.driver.drop(STORE_PREFIX + name);
      throw error;
    }
    this.#keygroups.set(name, keygroup);
    return keygroup;
  }

  async #openStore(name: KeygroupName, config: KeygroupConfig): Promise<Keygroup> {
    const { driver, resumes, ...shared } = this.#options;
    return Keygroup.open({
      ...shared,
      name,
      config,
      storage: await driver.open(STORE_PREFIX + name),
      resumes: resumes || config.durability === "strict",
    });
  }

  #checked(config: KeygroupConfig): KeygroupConfig {
    if (config.durability === "strict" && !this.#options.driver.isDurable) {
      throw new EnokiError("ENOKI_UNSUPPORTED", "a store in memory cannot be strict");
    }
    return config;
  }

  async #remember(name: KeygroupName, config: KeygroupConfig): Promise<void> {
    const { nodeStore } = this.#options;
    const value = Buffer.from(JSON.stringify(config), "utf8");
    nodeStore.transact((transaction) => transaction.put(rowKey(name), value));
    await nodeStore.sync();
  }
}

function rowKey(name: KeygroupName): Buffer {
  return Buffer.from(ROW_PREFIX + name, "utf8");
}
