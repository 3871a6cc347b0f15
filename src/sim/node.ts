// Why so long: the life of a node is one state, which faults change at any moment.

import type { Prng } from "../base/prng.js";
import type { KeygroupName, NodeName } from "../core/ids.js";
import { readIdentity } from "../core/meta.js";
import { Replica } from "../core/replica.js";
import { Keygroup } from "../keygroups/keygroup.js";
import type { KeygroupOptions, OpenedReplica } from "../keygroups/keygroup-options.js";
import type { ReplicationTiming } from "../keygroups/replication/context.js";
import type { ReplicationMetrics } from "../keygroups/replication/metrics.js";
import { recordOf } from "../keygroups/replication/membership.js";
import { Replicator } from "../keygroups/replication/replicator.js";
import { ReplicationRouter } from "../keygroups/replication/router.js";
import type { KeygroupConfig } from "../keygroups/types.js";
import type { Links } from "../ports/links.js";
import { silentLogger } from "../ports/logger.js";
import type { Storage } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";
import { Disk } from "./disk.js";
import type { NamingRecord, SimNaming } from "./naming.js";
import type { Network } from "./network.js";
import { SimClock } from "./sim-clock.js";
import type { VirtualTime } from "./virtual-time.js";

/** What a simulated node is made from. */
export interface SimNodeParts {
  readonly index: number;
  readonly name: NodeName;
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly network: Network;
  readonly naming: SimNaming;
  readonly config: KeygroupConfig;
  readonly timing: Partial<ReplicationTiming>;
  readonly skewMs: number;
  readonly stagedBytesMax: number;
  readonly events: SimNodeEvents;
  readonly faulty: FaultyParts;
}

/** What watches a node. */
export interface SimNodeEvents {
  happened(what: string, node: SimNode): void;
  /** A replica object begins; it may be wrapped. */
  opened(node: SimNode, opened: OpenedReplica): void;
  /** A replicator is used no more; this is what it counted. */
  ended(metrics: ReplicationMetrics): void;
  /** Its store is empty now. */
  wiped(node: SimNode): void;
  /** A transaction has ended. */
  transacted(node: SimNode, isCommitted: boolean): void;
}

/** Parts that a canary puts in the place of good ones. */
export interface FaultyParts {
  readonly storage?: (storage: Storage, node: SimNode) => Storage;
  readonly links?: (links: Links, node: SimNode) => Links;
  /** Changes a replica object before it is used. */
  readonly replica?: (replica: Replica) => void;
  /** Changes a replicator before it is used. */
  readonly replicator?: (replicator: Replicator) => void;
  /** Where hybrid time begins, instead of where it was. */
  readonly hlc?: number;
  /** Whether a store that may be too old is taken for a good one. */
  readonly resumesAlways?: boolean;
  /** The store is kept where it should be wiped. */
  readonly keepsStore?: boolean;
  /** Records from before an own join are acted upon. */
  readonly takesOldRecords?: boolean;
}

/** What a power cut, a crash or a lost disk leaves for the next start. */
export type Downfall = "stop" | "process" | "power" | "disk";

interface Running {
  readonly keygroup: Keygroup;
  readonly replicator: Replicator;
}

/** One node with one keygroup: its disk, its clock, and a process that comes and goes. */
export class SimNode {
  readonly index: number;
  readonly name: NodeName;
  readonly disk: Disk;
  readonly clock: SimClock;
  readonly #parts: SimNodeParts;
  /** Rises with each start of a process. */
  #boot = 0;
  #isUp = false;
  /** Rises with each open or close of the keygroup: what waits for an older one is void. */
  #opening = 0;
  #running: Running | undefined;
  /** The member whose store is being opened. */
  #openingMember: number | undefined;
  #router: ReplicationRouter | undefined;
  /** The node's own store: the latest record it has seen. Lost with the disk. */
  #view: NamingRecord | undefined;
  /** Records older than its own join are ignored. */
  #epochMin = 0;
  /** The next start finds a state that may be older than what was sent. */
  #mayBeOlder = false;
  #hasLostDisk = false;

  constructor(parts: SimNodeParts) {
    this.#parts = parts;
    this.index = parts.index;
    this.name = parts.name;
    this.disk = new Disk(parts.time);
    this.clock = new SimClock(parts.time, parts.skewMs);
    parts.naming.follow((record) => this.#see(record));
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The keygroup, while it is open. */
  get keygroup(): Keygroup | undefined {
    return this.#running?.keygroup;
  }

  get replicator(): Replicator | undefined {
    return this.#running?.replicator;
  }

  /** True when clients may read and write here. */
  get isServing(): boolean {
    return this.#running?.keygroup.replica.identity.isServing === true;
  }

  /** True when it serves as that member, and still would after a power cut. */
  isCurrentMember(member: number | undefined): boolean {
    const { synced } = this.disk;
    if (!this.isServing || synced.size === 0) return false;
    const { epoch, isServing } = readIdentity(synced);
    return isServing && epoch === member;
  }

  /** The member whose store the disk holds. */
  get storedMember(): number | undefined {
    return this.disk.rows.size === 0 ? undefined : readMember(this.disk);
  }

  /** Starts the process. */
  start(): void {
    this.#boot += 1;
    this.#isUp = true;
    const { network, naming, events, faulty } = this.#parts;
    events.happened("node.start", this);
    const isAlive = this.#aliveness();
    const links = network.attach(this.index, isAlive);
    const router = new ReplicationRouter(faulty.links?.(links, this) ?? links);
    this.#router = router;
    if (this.#hasLostDisk) {
      this.#hasLostDisk = false;
      if (naming.memberOf(this.name) !== undefined) this.rejoin();
    }
    if (this.#view) this.#follow(this.#view);
    links.listen(router);
  }

  /** Ends the process, in one of four ways. */
  crash(how: Downfall): void {
    const { events, network, random, config } = this.#parts;
    this.#isUp = false;
    if (this.#running) events.ended(this.#running.replicator.metrics());
    this.#running = undefined;
    this.#openingMember = undefined;
    this.#router = undefined;
    events.happened(`crash.${how}`, this);
    network.detach(this.index, how === "process" ? 20 : 300);
    if (how === "power") {
      const isOlder = this.disk.cutPower((count) => random.below(count));
      if (isOlder) events.happened("crash.older", this);
      if (config.durability === "relaxed") this.#mayBeOlder = true;
    }
    if (how === "disk") {
      this.disk.wipe();
      this.#view = undefined;
      this.#epochMin = 0;
      this.#hasLostDisk = true;
    }
  }

  /** Joins as another member: own transaction, empty store, older records ignored. */
  rejoin(): void {
    const { naming, events, faulty } = this.#parts;
    events.happened("member.rejoin", this);
    this.#close();
    if (faulty.keepsStore !== true) this.#wipe();
    const record = naming.join(this.name);
    if (faulty.takesOldRecords !== true) {
      this.#epochMin = record.epoch;
      this.#view = record;
      if (this.#isUp) this.#follow(record);
    }
  }

  /** Stops writing, waits until the others have everything, and leaves; true if it did. */
  async leave(withinMs: number): Promise<boolean> {
    const { naming, events } = this.#parts;
    const running = this.#running;
    if (!running) return false;
    const { isCovered, epoch } = await running.replicator.leave(withinMs);
    if (!isCovered || this.#running !== running) return false;
    if (epoch !== naming.record.epoch) {
      events.happened("member.stayed", this);
      running.replicator.stay();
      return false;
    }
    events.happened("member.left", this);
    naming.remove(this.name);
    return true;
  }

  #see(record: NamingRecord): void {
    if (record.epoch < this.#epochMin) {
      this.#parts.events.happened("record.ignored", this);
      return;
    }
    if (record.epoch <= (this.#view?.epoch ?? 0) || this.#hasLostDisk) return;
    this.#view = record;
    if (this.#isUp) this.#follow(record);
  }

  /** Does what a record asks: open, adopt, wipe and join, or give up the replica. */
  #follow(record: NamingRecord): void {
    const mine = record.members.find(({ node }) => node === this.name)?.epoch;
    const stored = this.storedMember;
    if (mine !== undefined && (mine === stored || this.#parts.faulty.keepsStore === true)) {
      if (this.#running) void this.#running.replicator.adopt(record);
      else if (this.#openingMember !== mine) this.#open(record, mine);
      return;
    }
    if (stored !== undefined) {
      this.#parts.events.happened(mine === undefined ? "member.gaveUp" : "member.replaced", this);
      this.#close();
      this.#wipe();
    }
    if (mine !== undefined) this.#open(record, mine);
  }

  #close(): void {
    this.#opening += 1;
    this.#openingMember = undefined;
    const running = this.#running;
    this.#running = undefined;
    if (running) this.#parts.events.ended(running.replicator.metrics());
    running?.replicator.close();
    // The store is wiped in any case: nothing that waits may write into it any more.
  }

  #wipe(): void {
    this.disk.wipe();
    this.#parts.events.wiped(this);
  }

  #open(record: NamingRecord, mine: number): void {
    const { time, config, random, timing, events, faulty } = this.#parts;
    const opening = ++this.#opening;
    this.#openingMember = mine;
    const isProcess = this.#aliveness();
    const isAlive = (): boolean => isProcess() && this.#opening === opening;
    const timers: Timers = {
      after: (delayMs, work) => time.after(delayMs, () => isAlive() && work()),
    };
    const turn = createSimTurn(timers, random);
    const storage = this.disk.open(isAlive, {
      transacted: (isCommitted) => events.transacted(this, isCommitted),
    });
    const mayBeOlder = this.#mayBeOlder && faulty.resumesAlways !== true;
    this.#mayBeOlder = false;
    const options: KeygroupOptions = {
      name: "data" as KeygroupName,
      config,
      storage: faulty.storage?.(storage, this) ?? storage,
      storageKind: "memory",
      nodeName: this.name,
      resumes: !mayBeOlder,
      turn,
      timers,
      clock: this.clock,
      logger: silentLogger,
      syncIntervalMs: 20,
      collectIntervalMs: 150,
      encodeSends: () => ({ writes: [], committed: () => {} }),
      founding: {
        generation: record.generation,
        epoch: mine,
        record: recordOf(record),
        isServing: mine === record.founder,
      },
      openReplica: (reader, open) => {
        const { hlc } = faulty;
        const staged = { stagedBytesMax: this.#parts.stagedBytesMax };
        const opened = Replica.open(reader, {
          ...open,
          ...staged,
          ...(hlc !== undefined && { hlc }),
        });
        faulty.replica?.(opened.replica);
        events.opened(this, opened);
        return opened;
      },
    };
    void Keygroup.open(options).then(
      (keygroup) => {
        const router = this.#router;
        if (!isAlive() || !router) return undefined;
        this.#openingMember = undefined;
        const replicator = new Replicator({
          host: keygroup,
          router,
          turn,
          timers,
          clock: this.clock,
          random: () => random.next(),
          logger: silentLogger,
          timing,
          events: {
            serving: () => events.happened("member.serving", this),
            removed: () => events.happened("member.removed", this),
            mustRejoin: () => {
              events.happened("member.mustRejoin", this);
              this.rejoin();
            },
          },
        });
        faulty.replicator?.(replicator);
        this.#running = { keygroup, replicator };
        return replicator.adopt(this.#view ?? record);
      },
      () => {
        // A full disk takes no start; whoever runs the node tries again.
        if (!isAlive()) return;
        this.#openingMember = undefined;
        this.#mayBeOlder ||= mayBeOlder;
        time.after(100, () => {
          if (isAlive() && this.#view) this.#follow(this.#view);
        });
      },
    );
    time.settled();
  }

  #aliveness(): () => boolean {
    const boot = this.#boot;
    return () => this.#isUp && this.#boot === boot;
  }
}

/** A turn ends a moment after it began, so that several messages may fall into one. */
function createSimTurn(timers: Timers, random: Prng): Turn {
  let commits: (() => void)[] = [];
  let flushes: (() => void)[] = [];
  let isArmed = false;
  const drain = (): void => {
    while (commits.length > 0) {
      const works = commits;
      commits = [];
      for (const work of works) work();
    }
    isArmed = false;
    const works = flushes;
    flushes = [];
    for (const work of works) work();
  };
  const arm = (): void => {
    if (isArmed) return;
    isArmed = true;
    timers.after(random.next() * 0.5, drain);
  };
  return {
    commit: (work) => {
      commits.push(work);
      arm();
    },
    flush: (work) => {
      flushes.push(work);
      arm();
    },
  };
}

function readMember(disk: Disk): number {
  return readIdentity(disk.rows).epoch;
}
