// Why so long: what records ask for and what this node asks for meet here, in one order of changes.

import { Sequences } from "../../base/sequences.js";
import type { Directory } from "../../cluster/directory.js";
import { isToLeave, type KeygroupDefaults } from "../../cluster/keygroup-changes.js";
import {
  type KeygroupMember,
  type KeygroupRecord,
  memberOn,
  type Placement,
} from "../../cluster/records.js";
import { EnokiError } from "../../core/errors.js";
import type { FunctionName, KeygroupName, NodeName } from "../../core/ids.js";
import { includesRight, type Right } from "../../core/rights.js";
import type { SessionEntry } from "../../core/session.js";
import type { Keygroup } from "../keygroup.js";
import type { NodeKeygroups } from "../node-keygroups.js";
import type { KeygroupConfig } from "../types.js";
import { configOf, foundingOf, parkedAt } from "./founding.js";
import { Departures } from "./departures.js";
import { leaveKeygroup, type LeaveOptions } from "./leaving.js";
import type { LocalReplica } from "./local-replica.js";
import { LocalReplicas, type LocalReplicasOptions } from "./local-replicas.js";
import { askStatus, serveStatus } from "./replica-status.js";
import { Retries } from "./retries.js";
import { destinationOf, serversOf } from "./servers.js";
import { ServingWaiters } from "./serving-waiters.js";

/** What the keygroups of a node in a cluster are made from. */
export interface ClusterKeygroupsOptions extends LocalReplicasOptions {
  readonly directory: Directory;
  /** Lets operations of functions wait until the returned function is called. */
  readonly hold: (name: KeygroupName) => () => void;
}

/** How long a deploy waits until the replica that it brought has caught up. */
const SERVING_WAIT_MS = 10_000;
/** How long a replica here gets to show what another one does. */
const CATCH_UP_MS = 5000;

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
  readonly #replicas: LocalReplicas;
  readonly #node: NodeName;
  readonly #changes = new Sequences();
  readonly #retries: Retries;
  readonly #waiters: ServingWaiters;
  readonly #departures: Departures;
  #unsubscribe: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ClusterKeygroupsOptions) {
    this.#options = options;
    this.#replicas = new LocalReplicas(options, {
      serving: (name) => this.#waiters.served(name),
      lost: (name) => void this.#followSoon(name),
    });
    this.#node = options.nodeName as NodeName;
    const { timers, logger } = options;
    this.#retries = new Retries({ timers, logger, again: (name) => void this.#followSoon(name) });
    this.#waiters = new ServingWaiters(timers);
    this.#departures = new Departures({
      timers,
      logger,
      isWanted: (name) => this.#isToLeave(name),
      leave: async (name) => {
        const to = this.#destination(name);
        await this.withdraw(name, to === undefined ? {} : { to });
      },
    });
  }

  async open(): Promise<void> {
    const { directory, requests } = this.#options;
    const { stores } = this.#replicas;
    serveStatus(requests, (name) => this.#replicas.get(name));
    for (const row of stores.rows()) await this.#replicas.open(row);
    await stores.dropLeftovers();
    this.#unsubscribe = directory.subscribe({
      keygroupChanged: (name) => void this.#followSoon(name),
      reachabilityChanged: (isReachable) => isReachable && this.#retries.all(),
    });
    const named = directory.view.keygroups().map(({ name }) => name);
    const names = new Set([...named, ...this.list().map(({ name }) => name)]);
    await Promise.all([...names].map((name) => this.#followSoon(name)));
  }

  list(): readonly Keygroup[] {
    return this.#replicas.all().map(({ keygroup }) => keygroup);
  }

  get(name: KeygroupName): Keygroup | undefined {
    const local = this.#replicas.get(name);
    return local?.isServing ? local.keygroup : undefined;
  }

  find(name: KeygroupName): Keygroup {
    const local = this.#replicas.get(name);
    if (local) return local.keygroup;
    const others = this.serversOf(name);
    const detail =
      others.length === 0
        ? `there is no keygroup "${name}" here`
        : `no replica of keygroup "${name}" is here: ask ${others.join(" or ")}`;
    throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", detail);
  }

  /** What lies on this node of a keygroup; `undefined` = nothing. */
  local(name: KeygroupName): LocalReplica | undefined {
    return this.#replicas.get(name);
  }

  /**
   * Linked members on other nodes that may serve, the nearest first; those that say so go before, and
   * those that are known to show `seen` before all. While the data move to a node, it is the last:
   * where they were, they are all.
   */
  serversOf(name: KeygroupName, seen?: SessionEntry): NodeName[] {
    const { directory, router } = this.#options;
    const record = directory.view.keygroup(name);
    if (!record) return [];
    const replicator = this.#replicas.get(name)?.replicator;
    const peers = replicator?.metrics().peers ?? [];
    const serving = new Set(peers.filter((peer) => peer.isServing).map(({ node }) => node));
    const showing = new Set(seen && replicator?.showing(seen));
    return serversOf(record, this.#node, {
      rankOf: (node) => Number(serving.has(node)) + 2 * Number(showing.has(node)),
      awayMsOf: (node) => router.roundTripMs(node),
    });
  }

  /** The data move to this node, and others still have them. */
  isArriving(name: KeygroupName): boolean {
    const members = this.#options.directory.view.keygroup(name)?.members ?? [];
    return this.#destination(name) === this.#node && members.length > 1;
  }

  /** Resolves once the replica here shows what the one on that node shows now. */
  async catchUpWith(name: KeygroupName, node: NodeName): Promise<void> {
    const { requests } = this.#options;
    const status = await askStatus(requests, node, name, CATCH_UP_MS);
    const { generation, recordEpoch: epoch, applied } = status;
    const entry = { generation, epoch, seen: applied.entries() };
    await this.get(name)?.sessions.enter(entry, CATCH_UP_MS);
  }

  /** Whether a linked member on another node is known to show that. */
  isShownElsewhere(name: KeygroupName, seen: SessionEntry): boolean {
    const showing = this.#replicas.get(name)?.replicator?.showing(seen) ?? [];
    return showing.length > 0;
  }

  /** True for nodes that are members, or run the function of that name. */
  mayAsk(name: KeygroupName, peer: NodeName): boolean {
    const { view } = this.#options.directory;
    const record = view.keygroup(name);
    if (!record || record.isDropped) return false;
    return memberOn(record, peer) !== undefined || this.#runsOn(name, peer);
  }

  /**
   * True if functions on that node may do what takes those rights: all of them where it has a part in
   * the keygroup, and those that were granted where it runs functions that have been.
   */
  mayOperate(name: KeygroupName, peer: NodeName, needed: () => readonly Right[]): boolean {
    if (this.mayAsk(name, peer)) return true;
    const { view } = this.#options.directory;
    const grants = (view.keygroup(name)?.grants ?? []).filter(({ kind, id }) => {
      const runs = view.functionProgress(id as FunctionName);
      return kind === "function" && runs.some(({ node }) => node === peer);
    });
    if (grants.length === 0) return false;
    const rights = needed();
    // One of them has to have all: what several have together, none may do.
    return grants.some((grant) => rights.every((right) => includesRight(grant.rights, right)));
  }

  async ensure(name: KeygroupName): Promise<Keygroup> {
    const { directory } = this.#options;
    if (!this.#isMember(name) && !this.#isKeptAway(name)) {
      await directory.control.joinKeygroup(name, this.#defaults(this.#options.defaults));
    }
    await this.#follow(name);
    await this.resume(name);
    if (this.#isMember(name)) await this.#waitUntilServing(name);
    return this.find(name);
  }

  async resume(name: KeygroupName): Promise<Keygroup> {
    await this.#changes.run(name, async () => {
      if (this.#replicas.get(name)) return;
      const epoch = this.#options.directory.view.keygroup(name)?.epoch ?? 0;
      const generation = this.#options.directory.view.keygroup(name)?.generation ?? 0;
      await this.#replicas.make(name, this.#options.defaults, parkedAt({ generation, epoch }));
    });
    return this.find(name);
  }

  async create(
    name: KeygroupName,
    config: Partial<KeygroupConfig>,
    placement: Placement = { kind: "replicate" },
  ): Promise<Keygroup | undefined> {
    const isElsewhere = placement.kind === "at" && placement.node !== this.#node;
    const wanted = { ...this.#options.defaults, ...config };
    const checked = isElsewhere ? wanted : this.#replicas.stores.checked(wanted);
    const defaults = { ...this.#defaults(checked), placement };
    await this.#options.directory.control.createKeygroup(name, defaults);
    await this.#follow(name);
    return isElsewhere ? undefined : this.find(name);
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
    await this.withdraw(name, options);
  }

  /**
   * Takes the replica from this node once another member has everything; resolves with the number of
   * writes that no other member was known to have, which is 0 unless it is forced.
   * @throws EnokiError `ENOKI_UNREPLICATED`, `ENOKI_LAST_REPLICA`, `ENOKI_PLACEMENT_CONFLICT`
   */
  async withdraw(name: KeygroupName, options: LeaveOptions): Promise<number> {
    const { directory, timers, hold } = this.#options;
    const context = { directory, node: this.#node, timers, hold };
    const lost = await leaveKeygroup(context, name, this.#replicas.get(name), options);
    await this.#follow(name);
    return lost;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe?.();
    this.#retries.close();
    await this.#departures.close();
    await this.#changes.settled();
    await this.#replicas.close();
  }

  #defaults({ policy, ttlMs, durability }: KeygroupConfig): KeygroupDefaults {
    return { settings: { policy, ttlMs }, durability, placement: { kind: "replicate" } };
  }

  #destination(name: KeygroupName): NodeName | undefined {
    return destinationOf(this.#options.directory.view.keygroup(name));
  }

  #isToLeave(name: KeygroupName): boolean {
    const record = this.#options.directory.view.keygroup(name);
    return record !== undefined && isToLeave(record, this.#node) && this.#isMember(name);
  }

  /**
   * The function has run here without a replica, as somebody has decided: no revision of it changes that.
   * One that was deployed before this node had others is not meant.
   */
  #isKeptAway(name: KeygroupName): boolean {
    const { directory, isInUse } = this.#options;
    const record = directory.view.keygroup(name);
    if (!record || record.isDropped || memberOn(record, this.#node)) return false;
    return isInUse(name) && this.#runsOn(name, this.#node);
  }

  /** The function of that name is to run on that node, as the directory says. */
  #runsOn(name: KeygroupName, node: NodeName): boolean {
    const runs = this.#options.directory.view.functionProgress(name as string as FunctionName);
    return runs.some((one) => one.node === node);
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
    this.#options.servingChanged(name);
    this.#departures.look(name);
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
      if (local?.isMember) await this.#replicas.giveUp(local, record);
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
    if (!local) local = await this.#replicas.make(name, config, founding);
    else if (!local.is(member)) {
      await this.#replicas.giveUp(local, record);
      await local.keygroup.become(founding);
      local.lost = undefined;
      local.left = undefined;
    }
    await this.#replicas.remember(local, config, member);
    this.#replicas.replicate(local);
    local.adopt(record);
  }

  /** The keygroup has ended, with all data; a store from before there was a cluster has not. */
  async #dropped(local: LocalReplica, record: KeygroupRecord): Promise<void> {
    const { name } = local.keygroup;
    if (local.isMember && local.identity.generation > record.generation) return;
    if (local.remembered === undefined) await this.#join(name, local.keygroup.config);
    else if (local.isMember && this.#options.isInUse(name))
      await this.#replicas.park(local, record);
    else if (!this.#options.isInUse(name)) await this.#replicas.drop(local);
  }
}
