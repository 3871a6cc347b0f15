import { EnokiError } from "../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../core/ids.js";
import { checkFormat } from "../core/meta.js";
import type { Founding } from "../core/opening.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Storage, StorageDriver } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Tracer } from "../ports/tracer.js";
import type { Turn } from "../ports/turn.js";
import { Keygroup } from "./keygroup.js";
import { grantsRowKey } from "./stored-grants.js";
import type { KeygroupConfig } from "./types.js";
import type { Reactions } from "./reactions.js";
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
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer;
  readonly syncIntervalMs: number;
  readonly encodeSends: SendEncoder;
  /** What depends on the changes of a keygroup; without it, or `undefined`, nothing does. */
  readonly reactionsOf?: ((name: KeygroupName) => Reactions | undefined) | undefined;
  /** The nodes that hold a keygroup; without it, this one holds all. */
  readonly membersOf?: ((name: KeygroupName) => readonly string[]) | undefined;
  /** Called as a keygroup is removed, before its store closes. */
  readonly dropped: (name: KeygroupName) => void;
}

/** Which member of a keygroup a store was made for. */
export interface StoredMember {
  readonly generation: number;
  readonly epoch: number;
}

/** What the node's own store holds of a keygroup. */
export interface KeygroupRow {
  readonly name: KeygroupName;
  readonly config: KeygroupConfig;
  /** `undefined` in the row of a node that stood alone. */
  readonly member: StoredMember | undefined;
}

/** First byte of a keygroup's row in the node's own store. */
const ROW_PREFIX = "g";
/** Prefix of a keygroup's store among the stores of the driver. */
const STORE_PREFIX = "kg-";

/**
 * The stores of a node's keygroups, and the rows that say which there are. A store without a row is
 * half made or half dropped, and goes.
 */
export class KeygroupStores {
  readonly #options: KeygroupsOptions;

  constructor(options: KeygroupsOptions) {
    this.#options = options;
  }

  /** Everything that was remembered. */
  rows(): KeygroupRow[] {
    const end = Buffer.from(String.fromCharCode(ROW_PREFIX.charCodeAt(0) + 1));
    const rows = this.#options.nodeStore.range({ start: Buffer.from(ROW_PREFIX), end });
    return [...rows].map(({ key, value }) => {
      const name = parseKeygroupName(Buffer.from(key).toString("utf8", 1));
      const { member, ...config } = JSON.parse(
        Buffer.from(value).toString("utf8"),
      ) as KeygroupConfig & Pick<KeygroupRow, "member">;
      return { name, config, member };
    });
  }

  /** Completes drops that were cut off between the row and the store. */
  async dropLeftovers(): Promise<void> {
    const { driver } = this.#options;
    const kept = new Set(this.rows().map(({ name }) => STORE_PREFIX + name));
    for (const store of await driver.list()) {
      if (store.startsWith(STORE_PREFIX) && !kept.has(store)) await driver.drop(store);
    }
  }

  /** Opens a keygroup; `wasEmpty` = its replica has just been made. */
  async open(
    name: KeygroupName,
    config: KeygroupConfig,
    founding?: Founding,
  ): Promise<{ readonly keygroup: Keygroup; readonly wasEmpty: boolean }> {
    const { driver, resumes, membersOf, ...shared } = this.#options;
    const storage = await driver.open(STORE_PREFIX + name);
    const wasEmpty = !checkFormat(storage);
    const keygroup = await Keygroup.open({
      ...shared,
      members: membersOf && (() => membersOf(name)),
      name,
      config,
      storage,
      resumes: resumes || config.durability === "strict",
      ...(founding && { founding }),
    });
    return { keygroup, wasEmpty };
  }

  /** Makes the row of a keygroup that has been opened, or takes the keygroup back. */
  async adopt(keygroup: Keygroup, member?: StoredMember): Promise<void> {
    try {
      await this.remember({ name: keygroup.name, config: keygroup.config, member });
    } catch (error) {
      await keygroup.close();
      await this.#options.driver.drop(STORE_PREFIX + keygroup.name);
      throw error;
    }
  }

  async remember({ name, config, member }: KeygroupRow): Promise<void> {
    const { nodeStore } = this.#options;
    const row = member === undefined ? config : { ...config, member };
    const value = Buffer.from(JSON.stringify(row), "utf8");
    nodeStore.transact((transaction) => transaction.put(rowKey(name), value));
    await nodeStore.sync();
  }

  /** Gives a keygroup another configuration, which is in use once it is stored. */
  async configure(keygroup: Keygroup, next: KeygroupConfig, member?: StoredMember): Promise<void> {
    const before = keygroup.config;
    try {
      if (next.durability === "strict" && before.durability !== "strict") {
        // A strict row says that no dot was acknowledged unsynced, so it comes after all of that.
        keygroup.configure({ ...before, durability: "strict" });
        await keygroup.sync();
      }
      await this.remember({ name: keygroup.name, config: next, member });
    } catch (error) {
      keygroup.configure(before);
      throw error;
    }
    keygroup.configure(next);
  }

  /** Closes a keygroup and deletes it with all that it holds. */
  async drop(keygroup: Keygroup): Promise<void> {
    const { name } = keygroup;
    const { nodeStore, driver } = this.#options;
    nodeStore.transact((transaction) => {
      transaction.delete(rowKey(name));
      // In one: a keygroup that is made again has no rights left over.
      transaction.delete(grantsRowKey(name));
    });
    this.#options.dropped(name);
    await nodeStore.sync();
    await keygroup.close();
    await driver.drop(STORE_PREFIX + name);
  }

  /** @throws EnokiError `ENOKI_UNSUPPORTED` for what this node's stores cannot promise */
  checked(config: KeygroupConfig): KeygroupConfig {
    if (config.durability === "strict" && !this.#options.driver.isDurable) {
      throw new EnokiError("ENOKI_UNSUPPORTED", "a store in memory cannot be strict");
    }
    return config;
  }
}

function rowKey(name: KeygroupName): Buffer {
  return Buffer.from(ROW_PREFIX + name, "utf8");
}
