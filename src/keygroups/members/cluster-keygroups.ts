import { Sequences } from "../../base/sequences.js";
import type { Directory } from "../../cluster/directory.js";
import type { KeygroupDefaults } from "../../cluster/keygroup-changes.js";
import { type KeygroupMember, type KeygroupRecord, memberOn } from "../../cluster/records.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Founding } from "../../core/opening.js";
import type { Keygroup } from "../keygroup.js";
import {
  KeygroupStores,
  type KeygroupRow,
  type KeygroupsOptions,
  type StoredMember,
} from "../keygroup-stores.js";
import type { NodeKeygroups } from "../node-keygroups.js";
import type { ReplicationRouter } from "../replication/router.js";
import type { KeygroupConfig } from "../types.js";
import { configOf, foundingOf, NO_MEMBER, parkedAt } from "./founding.js";
import { leaveKeygroup, type LeaveOptions } from "./leaving.js";
import { LocalReplica } from "./local-replica.js";
import { Retries } from "./retries.js";
import { exportUnreplicated, type WriteExport } from "./unreplicated.js";
import { ServingWaiters } from "./serving-waiters.js";

/** What the keygroups of a node in a cluster are made from. */
export interface ClusterKeygroupsOptions extends KeygroupsOptions {
  readonly directory: Directory;
  readonly router: ReplicationRouter;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly writeExport: WriteExport;
  /** A replica here begins to serve, or does so no longer. */
  readonly servingChanged: (name: KeygroupName) => void;
  /** A function of that name is deployed here, whose invocations the store keeps. */
  readonly isInUse: (name: KeygroupName) => boolean;
}

/** How long a deploy waits until the replica that it brought has caught up. */
const SERVING_WAIT_MS = 10_000;

/**
 * The keygroups of a node in a cluster. What the directory says is followed: this node opens the
 * replica that a record names, or takes its place under a new name if the data are not those of that
 * member, and gives up what no record names any more.
 *
 * Invariants: 1. A replica is opened only under a record that lists this node with the disk it has.
 * 2. What cannot be shown to be elsewhere is exported before it is dropped. 3. Changes of one
 * keygroup here happen one after another.
 */
export class ClusterKeygroups implements NodeKeygroups {
  readonly #options: ClusterKeygroupsOptions;
  readonly #stores: KeygroupStores;
  readonly #node: NodeName;
  readonly #replicas = new Map<KeygroupName, LocalReplica>();
  readonly #changes = new Sequences();
  readonly #retries: Retries;
  readonly #waiters: ServingWaiters;
  #unsubscribe: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ClusterKeygroupsOptions) {
    this.#options = options;
    this.#stores = new KeygroupStores(options);
    this.#node = options.nodeName as NodeName;
    const { timers, logger } = options;
    this.#retries = new Retries({ timers, logger, again: (name) => void this.#followSoon(name) });
    this.#waiters = new ServingWaiters(timers);
  }

  async open(): Promise<void> {
    const { directory } = this.#options;
    for (const row of this.#stores.rows()) {
      await this.#changes.run(row.name, () => this.#openStored(row));
    }
    await this.#stores.dropLeftovers();
    this.#unsubscribe = directory.subscribe({
      keygroupChanged: (name) => void this.#followSoon(name),
      reachabilityChanged: (isReachable) => isReachable && this.#retries.all(),
    });
    const named = directory.view.keygroups().map(({ name }) => name);
    const names = new Set([...named, ...this.#replicas.keys()]);
    await Promise.all([...names].map((name) => this.#followSoon(name)));
  }

  list(): readonly Keygroup[] {
    const keygroups = [...this.#replicas.values()].map(({ keygroup }) => keygroup);
    return keygroups.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: KeygroupName): Keygroup {
    const local = this.#replicas.get(name);
    if (local) return local.keygroup;
    throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", `there is no keygroup "${name}" here`);
  }

  /** What lies on this node of a keygroup; `undefined` = nothing. */
  local(name: KeygroupName): LocalReplica | undefined {
    return this.#replicas.get(name);
  }

  async ensure(name: KeygroupName): Promise<Keygroup> {
    const { directory } = this.#options;
    if (!this.#isMember(name)) {
      await directory.control.joinKeygroup(name, this.#defaults(this.#options.defaults));
    }
    await this.#follow(name);
    await this.resume(name);
    if (this.#isMember(name)) await this.#waitUntilServing(name);
    return this.find(name);
  }

  async resume(name: KeygroupName): Promise<Keygroup> {
    await this.#changes.run(name, async () => {
      if (this.#replicas.has(name)) return;
      const epoch = this.#options.directory.view.keygroup(name)?.epoch ?? 0;
      const generation = this.#options.directory.view.keygroup(name)?.generation ?? 0;
      await this.#openNew(name, this.#options.defaults, parkedAt({ generation, epoch }));
    });
    return this.find(name);
  }

  async create(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<Keygroup> {
    const checked = this.#stores.checked({ ...this.#options.defaults, ...config });
    await this.#options.directory.control.createKeygroup(name, this.#defaults(checked));
    await this.#follow(name);
    return this.find(name);
  }

  async configure(name: KeygroupName, config: Partial<KeygroupConfig>): Promise<Keygroup> {
    const { durability, policy, ttlMs } = config;
    await this.#options.directory.control.configureKeygroup(name, {
      ...(durability && { durability }),
      ...(policy && { policy }),
      ...(ttlMs !== undefined && { ttlMs }),
    });
    await this.#follow(name);
    return this.find(name);
  }

  async remove(name: KeygroupName): Promise<void> {
    await this.#options.directory.control.dropKeygroup(name);
    await this.#follow(name);
  }

  async leave(name: KeygroupName, options: LeaveOptions = {}): Promise<void> {
    const { directory } = this.#options;
    const record = directory.view.keygroup(name);
    const isAlone = record?.members.every(({ node }) => node === this.#node) ?? true;
    if (isAlone) {
      await this.remove(name);
      return;
    }
    await leaveKeygroup(directory, this.#node, name, this.#replicas.get(name), options);
    await this.#follow(name);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe?.();
    this.#retries.close();
    await this.#changes.settled();
    for (const local of this.#replicas.values()) local.stop();
    await Promise.all(this.list().map((keygroup) => keygroup.close()));
    this.#replicas.clear();
  }

  #defaults({ policy, ttlMs, durability }: KeygroupConfig): KeygroupDefaults {
    return { settings: { policy, ttlMs }, durability, placement: { kind: "replicate" } };
  }

  /** True if the record names this node, and what is here is that member's. */
  #isMember(name: KeygroupName): boolean {
    const record = this.#options.directory.view.keygroup(name);
    const mine = record && memberOn(record, this.#node);
    if (!mine || mine.disk !== this.#options.directory.disk) return false;
    const { generation } = record;
    return this.#replicas.get(name)?.is({ generation, epoch: mine.epoch }) === true;
  }

  async #waitUntilServing(name: KeygroupName): Promise<void> {
    if (this.#replicas.get(name)?.isServing !== true) {
      await this.#waiters.wait(name, SERVING_WAIT_MS);
    }
  }

  /** Follows, and tries again if it failed. */
  async #followSoon(name: KeygroupName): Promise<void> {
    try {
      await this.#follow(name);
      this.#retries.done(name);
    } catch (error) {
      if (!this.#isClosed) this.#retries.failed(name, error);
    }
  }

  async #follow(name: KeygroupName): Promise<void> {
    await this.#changes.run(name, () => this.#act(name));
  }

  /** Does what the record asks for. */
  async #act(name: KeygroupName): Promise<void> {
    const { directory } = this.#options;
    const local = this.#replicas.get(name);
    const record = directory.view.keygroup(name);
    if (this.#isClosed) return;
    if (record === undefined) {
      // From before there was a cluster, or from before naming lost everything.
      if (local?.isMember) await this.#join(name, local.keygroup.config);
      return;
    }
    if (record.isDropped) {
      if (local) await this.#dropped(local, record);
      return;
    }
    const mine = memberOn(record, this.#node);
    if (mine === undefined) {
      if (local?.isMember) await this.#giveUp(local, record);
    } else if (mine.disk !== directory.disk) {
      await this.#join(name, configOf(record, mine));
    } else if (local?.lost?.epoch === mine.epoch && local.lost.generation === record.generation) {
      await directory.control.rejoinKeygroup(name, mine.epoch);
    } else {
      await this.#take(record, mine);
    }
  }

  /** Becomes a member with the disk that is here; the record that says so is followed next. */
  async #join(name: KeygroupName, config: KeygroupConfig): Promise<void> {
    await this.#options.directory.control.joinKeygroup(name, this.#defaults(config));
  }

  /** Has the replica of that member here, and replicates it. */
  async #take(record: KeygroupRecord, mine: KeygroupMember): Promise<void> {
    const { name, generation } = record;
    const member = { generation, epoch: mine.epoch };
    const config = configOf(record, mine);
    const founding = foundingOf(record, mine);
    let local = this.#replicas.get(name);
    if (!local) local = await this.#openNew(name, config, founding);
    else if (!local.is(member)) {
      await this.#giveUp(local, record);
      await local.keygroup.become(founding);
      local.lost = undefined;
    }
    await this.#remember(local, config, member);
    this.#replicate(local);
    local.adopt(record);
  }

  /** Has the configuration and the member in the row, and in use. */
  async #remember(local: LocalReplica, config: KeygroupConfig, member: StoredMember): Promise<void> {
    const { keygroup, remembered } = local;
    const before = keygroup.config;
    const isSame =
      before.policy === config.policy &&
      before.ttlMs === config.ttlMs &&
      before.durability === config.durability;
    const isSameMember =
      remembered?.generation === member.generation && remembered.epoch === member.epoch;
    if (!isSame) await this.#stores.configure(keygroup, config, member);
    else if (!isSameMember) await this.#stores.remember({ name: keygroup.name, config, member });
    local.remembered = member;
  }

  async #openStored({ name, config, member }: KeygroupRow): Promise<void> {
    const founding = parkedAt({ generation: member?.generation ?? 0, epoch: member?.epoch ?? 0 });
    const { keygroup, wasEmpty } = await this.#stores.open(name, config, founding);
    const local = new LocalReplica(keygroup);
    local.remembered = member;
    this.#replicas.set(name, local);
    if (wasEmpty && member && member.epoch !== NO_MEMBER) local.lost = member;
    if (local.isMember) this.#replicate(local);
  }

  async #openNew(
    name: KeygroupName,
    config: KeygroupConfig,
    founding: Founding,
  ): Promise<LocalReplica> {
    const { keygroup } = await this.#stores.open(name, config, founding);
    const { generation, epoch } = founding;
    await this.#stores.adopt(keygroup, { generation, epoch });
    const local = new LocalReplica(keygroup);
    local.remembered = { generation, epoch };
    this.#replicas.set(name, local);
    return local;
  }

  #replicate(local: LocalReplica): void {
    if (local.replicator) return;
    const { name } = local.keygroup;
    const { router, clock, timers, turn, random, logger } = this.#options;
    local.start({
      router,
      clock,
      timers,
      turn,
      random,
      logger,
      events: {
        serving: () => {
          logger.info({ keygroup: name }, "the replica has caught up and serves");
          this.#served(name);
        },
        // The record says so too, and is followed.
        removed: () => {},
        mustRejoin: () => {
          const { generation, epoch } = local.identity;
          logger.warn({ keygroup: name }, "the replica is too old to catch up and joins afresh");
          local.lost = { generation, epoch };
          void this.#followSoon(name);
        },
      },
    });
    if (local.isServing) this.#served(name);
  }

  #served(name: KeygroupName): void {
    this.#waiters.served(name);
    this.#options.servingChanged(name);
  }

  /** Exports what nobody else has for certain and forgets the rest; rows of the node's own stay. */
  async #giveUp(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { keygroup } = local;
    const { name } = keygroup;
    const { logger, writeExport, servingChanged, isInUse } = this.#options;
    if (local.isMember) {
      keygroup.setLeaving(true);
      await keygroup.commitLocal(() => ({ writes: [], value: undefined }));
      const { file, items, deletions } = await exportUnreplicated(local, record, writeExport);
      if (items + deletions > 0) {
        const detail = { keygroup: name, file, items, deletions };
        logger.warn(detail, "the replica is given up; writes that may be nowhere else are exported");
      } else logger.info({ keygroup: name }, "the replica is given up; everything is elsewhere");
    }
    const wasServing = local.isServing;
    local.stop();
    if (local.isMember) await keygroup.become(parkedAt(record));
    if (wasServing) servingChanged(name);
    await keygroup.sweep();
    const member = { generation: record.generation, epoch: NO_MEMBER };
    await this.#remember(local, keygroup.config, member);
    if (memberOn(record, this.#node) === undefined && !isInUse(name)) await this.#drop(local);
  }

  /** The keygroup has ended, with all data; a store from before there was a cluster has not. */
  async #dropped(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { name } = local.keygroup;
    if (local.isMember && local.identity.generation > record.generation) return;
    if (local.remembered === undefined) await this.#join(name, local.keygroup.config);
    else if (local.isMember && this.#options.isInUse(name)) await this.#park(local, record);
    else if (!this.#options.isInUse(name)) await this.#drop(local);
  }

  /** Forgets all data, and keeps the rows of the node's own. */
  async #park(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { keygroup } = local;
    local.stop();
    await keygroup.become(parkedAt(record));
    const { generation } = record;
    await this.#remember(local, keygroup.config, { generation, epoch: NO_MEMBER });
    this.#options.servingChanged(keygroup.name);
    await keygroup.sweep();
  }

  async #drop(local: LocalReplica): Promise<void> {
    local.stop();
    this.#replicas.delete(local.keygroup.name);
    await this.#stores.drop(local.keygroup);
  }
}
