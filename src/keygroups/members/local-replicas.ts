import { type KeygroupRecord, memberOn } from "../../cluster/records.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Founding } from "../../core/opening.js";
import {
  KeygroupStores,
  type KeygroupRow,
  type KeygroupsOptions,
  type StoredMember,
} from "../keygroup-stores.js";
import type { PeerRequests } from "../../peers/requests.js";
import { NO_TRACER } from "../../ports/tracer.js";
import type { ReplicationRouter } from "../replication/router.js";
import type { KeygroupConfig } from "../types.js";
import { NO_MEMBER, parkedAt } from "./founding.js";
import { LocalReplica } from "./local-replica.js";
import { exportUnreplicated, whatMembersHave, type WriteExport } from "./unreplicated.js";

/** What the replicas of a node are made from. */
export interface LocalReplicasOptions extends KeygroupsOptions {
  readonly router: ReplicationRouter;
  readonly requests: Pick<PeerRequests, "request" | "serve">;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly writeExport: WriteExport;
  /** A replica here begins to serve, or does so no longer. */
  readonly servingChanged: (name: KeygroupName) => void;
  /** Resolves when nobody reads the store's file who began while its replica served. */
  readonly readersGone: (name: KeygroupName) => Promise<void>;
  /** A function of that name is deployed here, whose invocations the store keeps. */
  readonly isInUse: (name: KeygroupName) => boolean;
}

/** What replicas tell whoever follows the directory. */
export interface LocalReplicasEvents {
  /** A replica takes reads and writes from now on. */
  serving(name: KeygroupName): void;
  /** The data of a replica are of no use any more: see `LocalReplica.lost`. */
  lost(name: KeygroupName): void;
}

/** How long running calls may keep what was a replica's data. */
const READERS_MS_MAX = 10_000;

/** The replicas on this node: opened, made, replaced by others in the same store, and given up. */
export class LocalReplicas {
  readonly stores: KeygroupStores;
  readonly #options: LocalReplicasOptions;
  readonly #events: LocalReplicasEvents;
  readonly #replicas = new Map<KeygroupName, LocalReplica>();

  constructor(options: LocalReplicasOptions, events: LocalReplicasEvents) {
    this.#options = options;
    this.#events = events;
    this.stores = new KeygroupStores(options);
  }

  get(name: KeygroupName): LocalReplica | undefined {
    return this.#replicas.get(name);
  }

  /** By name. */
  all(): LocalReplica[] {
    const all = [...this.#replicas.values()];
    return all.sort((a, b) => (a.keygroup.name < b.keygroup.name ? -1 : 1));
  }

  /** Opens what was here before. A store that has lost everything waits for another member. */
  async open({ name, config, member }: KeygroupRow): Promise<void> {
    const founding = parkedAt({ generation: member?.generation ?? 0, epoch: member?.epoch ?? 0 });
    const { keygroup, wasEmpty } = await this.stores.open(name, config, founding);
    const local = new LocalReplica(keygroup);
    local.remembered = member;
    this.#replicas.set(name, local);
    if (wasEmpty && member && member.epoch !== NO_MEMBER) local.lost = member;
    if (local.isMember) this.replicate(local);
  }

  /** Makes a replica where there is nothing. */
  async make(
    name: KeygroupName,
    config: KeygroupConfig,
    founding: Founding,
  ): Promise<LocalReplica> {
    const { keygroup } = await this.stores.open(name, config, founding);
    const { generation, epoch } = founding;
    await this.stores.adopt(keygroup, { generation, epoch });
    const local = new LocalReplica(keygroup);
    local.remembered = { generation, epoch };
    this.#replicas.set(name, local);
    return local;
  }

  /** Has the configuration and the member in the row, and in use. */
  async remember(local: LocalReplica, config: KeygroupConfig, member: StoredMember): Promise<void> {
    const { keygroup, remembered } = local;
    const before = keygroup.config;
    const isSame =
      before.policy === config.policy &&
      before.ttlMs === config.ttlMs &&
      before.durability === config.durability;
    const isSameMember =
      remembered?.generation === member.generation && remembered.epoch === member.epoch;
    if (!isSame) await this.stores.configure(keygroup, config, member);
    else if (!isSameMember) await this.stores.remember({ name: keygroup.name, config, member });
    local.remembered = member;
  }

  /** Speaks with the other members from now on. */
  replicate(local: LocalReplica): void {
    if (local.replicator) return;
    const { name } = local.keygroup;
    const { router, clock, timers, turn, random, logger, tracer = NO_TRACER } = this.#options;
    const events = {
      serving: () => {
        logger.info({ keygroup: name }, "the replica has caught up and serves");
        this.#served(name);
      },
      // The record says so too, and is followed.
      removed: () => {},
      mustRejoin: (from: NodeName) => {
        const { generation, epoch } = local.identity;
        const detail = { keygroup: name, node: from };
        logger.warn(detail, "the replica is too old to catch up and joins afresh");
        local.lost = { generation, epoch };
        local.joinFrom = from;
        this.#events.lost(name);
      },
    };
    local.start({ router, clock, timers, turn, random, logger, tracer, events });
    if (local.isServing) this.#served(name);
  }

  /**
   * Exports what nobody else has for certain, and forgets the rest. Rows of the node's own stay, with
   * a replica that is nobody's, while this node may need them.
   */
  async giveUp(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const isCovered = local.left === "covered";
    local.left ??= "forced";
    this.#options.servingChanged(local.keygroup.name);
    if (local.isMember && !isCovered) await this.#export(local, record);
    await this.#readersGone(local.keygroup.name);
    await this.park(local, record);
    const { name } = local.keygroup;
    const isNamed = memberOn(record, this.#options.nodeName as NodeName) !== undefined;
    if (!isNamed && !this.#options.isInUse(name)) await this.drop(local);
  }

  /** Forgets all data. */
  async park(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { keygroup } = local;
    local.stop();
    this.#options.servingChanged(keygroup.name);
    if (local.isMember) await keygroup.become(parkedAt(record));
    local.left = undefined;
    await keygroup.sweep();
    const { generation } = record;
    await this.remember(local, keygroup.config, { generation, epoch: NO_MEMBER });
  }

  /** Deletes the store. */
  async drop(local: LocalReplica): Promise<void> {
    local.stop();
    this.#replicas.delete(local.keygroup.name);
    await this.stores.drop(local.keygroup);
  }

  /** Commits, syncs and closes all of them. */
  async close(): Promise<void> {
    const all = this.all();
    for (const local of all) local.stop();
    await Promise.all(all.map(({ keygroup }) => keygroup.close()));
    this.#replicas.clear();
  }

  /** What a running call still reads directly is old by then, but it must not vanish under it. */
  async #readersGone(name: KeygroupName): Promise<void> {
    const { timers, readersGone } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = timers.after(READERS_MS_MAX, resolve);
      void readersGone(name).then(() => {
        cancel();
        resolve();
      });
    });
  }

  #served(name: KeygroupName): void {
    this.#events.serving(name);
    this.#options.servingChanged(name);
  }

  async #export(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { keygroup } = local;
    const { logger, writeExport } = this.#options;
    const detail = { keygroup: keygroup.name };
    keygroup.setLeaving(true);
    await keygroup.commitLocal(() => ({ writes: [], value: undefined }));
    const elsewhere = await whatMembersHave(this.#options, record, keygroup.name);
    const { file, items, deletions } = await exportUnreplicated(
      local,
      record,
      elsewhere,
      writeExport,
    );
    if (items + deletions === 0) {
      logger.info(detail, "the replica is given up; everything is elsewhere");
      return;
    }
    const message = "the replica is given up; writes that may be nowhere else are exported";
    logger.warn({ ...detail, file, items, deletions }, message);
  }
}
