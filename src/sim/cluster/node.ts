import type { NodeName } from "../../core/ids.js";
import { readIdentity } from "../../core/meta.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import type { Replicator } from "../../keygroups/replication/replicator.js";
import { Disk } from "./disk.js";
import { openMember, type RunningMember } from "./member.js";
import type { NamingRecord } from "./naming.js";
import type { Downfall, SimNodeParts } from "./node-parts.js";
import { SimProcess } from "./process.js";
import { SimClock } from "./sim-clock.js";

/** One node with one keygroup: its disk, its clock, and a process that comes and goes. */
export class SimNode {
  readonly index: number;
  readonly name: NodeName;
  readonly disk: Disk;
  readonly clock: SimClock;
  readonly #parts: SimNodeParts;
  #process: SimProcess | undefined;
  /** Rises with each open or close of the keygroup: what waits for an older one is void. */
  #opening = 0;
  #running: RunningMember | undefined;
  /** The member whose store is being opened. */
  #openingMember: number | undefined;
  /** The node's own store: the latest record it has seen. Lost with the disk. */
  #view: NamingRecord | undefined;
  /** Records older than its own join are ignored. */
  #epochMin = 0;
  /** The next start finds a state that may be older than what was sent. */
  #mayBeOlder = false;
  #hasLostDisk = false;
  /** What runs and is about to leave. */
  #leaving: RunningMember | undefined;
  /** Whom the next replica here joins from, if it can. */
  #joinFrom: NodeName | undefined;

  constructor(parts: SimNodeParts) {
    this.#parts = parts;
    this.index = parts.index;
    this.name = parts.name;
    this.disk = new Disk(parts.time);
    this.clock = new SimClock(parts.time, parts.skewMs);
    parts.naming.follow((record) => this.#see(record));
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** The process, while the node is up. */
  get process(): SimProcess | undefined {
    return this.#process;
  }

  /** The keygroup, while it is open. */
  get keygroup(): Keygroup | undefined {
    return this.#running?.keygroup;
  }

  /** The keygroup, while clients may read and write it here. */
  get serving(): Keygroup | undefined {
    return this.isServing ? this.#running?.keygroup : undefined;
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

  /** It leaves on the word of others that they have everything, even if they lose it meanwhile. */
  get isLeaving(): boolean {
    return this.#leaving !== undefined && this.#leaving === this.#running;
  }

  /** The member whose store the disk holds. */
  get storedMember(): number | undefined {
    return this.disk.rows.size === 0 ? undefined : readIdentity(this.disk.rows).epoch;
  }

  /** Bytes of updates that wait for that peer. */
  outboxBytes(peer: NodeName): number {
    return this.#process?.router.backlogBytes(peer, "update") ?? 0;
  }

  /** Starts the process. */
  start(): void {
    const { network, naming, events, faulty, time } = this.#parts;
    events.happened("node.start", this);
    const isAlive = (): boolean => this.#process === process;
    const links = network.attach(this.index, isAlive);
    const process: SimProcess = new SimProcess({
      links: faulty.links?.(links, this) ?? links,
      timers: { after: (delayMs, work) => time.after(delayMs, () => isAlive() && work()) },
      clock: this.clock,
      isAlive,
      serving: () => this.serving,
      members: () => (this.#view?.members ?? []).map(({ node }) => node).filter(this.#isOther),
    });
    this.#process = process;
    faulty.requests?.(process.requests);
    if (this.#hasLostDisk) {
      this.#hasLostDisk = false;
      if (naming.memberOf(this.name) !== undefined) this.rejoin();
      // An empty node reads what the naming service holds now, not what it held when it was a member.
      else this.#epochMin = naming.record.epoch;
    }
    if (this.#view) this.#follow(this.#view);
    process.listen();
  }

  /** Ends the process, in one of four ways. */
  crash(how: Downfall): void {
    const { events, network, random, config } = this.#parts;
    if (this.#running) events.ended(this.#running.replicator.metrics());
    this.#process = undefined;
    this.#running = undefined;
    this.#openingMember = undefined;
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

  /**
   * Joins as another member: own transaction, empty store, older records ignored; `from`: see
   * `ReplicatorOptions.joinFrom`.
   */
  rejoin(from?: NodeName): void {
    const { naming, events, faulty } = this.#parts;
    events.happened("member.rejoin", this);
    this.#joinFrom = from;
    this.#close();
    if (faulty.keepsStore !== true) this.#wipe();
    const record = naming.join(this.name);
    if (faulty.takesOldRecords !== true) {
      this.#epochMin = record.epoch;
      this.#view = record;
      if (this.isUp) this.#follow(record);
    }
  }

  /** Stops writing, waits until the others have everything, and leaves; true if it did. */
  async leave(withinMs: number): Promise<boolean> {
    const { naming, events } = this.#parts;
    const running = this.#running;
    if (!running) return false;
    this.#leaving = running;
    const { isCovered, epoch } = await running.replicator.leave(withinMs);
    if (this.#leaving === running) this.#leaving = undefined;
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

  readonly #isOther = (node: NodeName): boolean => node !== this.name;

  #see(record: NamingRecord): void {
    if (record.epoch < this.#epochMin) {
      this.#parts.events.happened("record.ignored", this);
      return;
    }
    if (record.epoch <= (this.#view?.epoch ?? 0) || this.#hasLostDisk) return;
    this.#view = record;
    if (this.isUp) this.#follow(record);
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

  /** why the keygroup is not closed: its store is wiped, and nothing that waits may write there. */
  #close(): void {
    this.#opening += 1;
    this.#openingMember = undefined;
    const running = this.#running;
    this.#running = undefined;
    if (running) this.#parts.events.ended(running.replicator.metrics());
    running?.replicator.close();
  }

  #wipe(): void {
    this.disk.wipe();
    this.#parts.events.wiped(this);
  }

  #open(record: NamingRecord, member: number): void {
    const { time, events } = this.#parts;
    const process = this.#process;
    if (!process) return;
    const opening = ++this.#opening;
    const isAlive = (): boolean => process.isAlive() && this.#opening === opening;
    this.#openingMember = member;
    const mayBeOlder = this.#mayBeOlder;
    this.#mayBeOlder = false;
    const joinFrom = this.#joinFrom;
    this.#joinFrom = undefined;
    const storage = this.disk.open(isAlive, {
      transacted: (isCommitted) => events.transacted(this, isCommitted),
    });
    const opened = openMember({
      node: this,
      process,
      parts: this.#parts,
      storage,
      record,
      member,
      mayBeOlder,
      isAlive,
      joinFrom,
      mustRejoin: (from) => this.rejoin(from),
    });
    void opened.then(
      (running) => {
        if (!running) return undefined;
        this.#openingMember = undefined;
        this.#running = running;
        return running.replicator.adopt(this.#view ?? record);
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
}
