import { assert } from "../base/assert.js";
import { compareOrigins, type Dot, type Origin } from "./dot.js";
import { hlcFromMs } from "./hlc.js";
import {
  finalsWrite,
  floorWrite,
  identityWrite,
  listedWrite,
  recordWrite,
  stateWrite,
  type Identity,
  type MembershipRecord,
} from "./meta.js";
import type { Loaded } from "./opening.js";
import type { RowWrite } from "./rows.js";
import type { Update } from "./update.js";
import { Vector } from "./vector.js";

const NO_DOTS: readonly Dot[] = [];

/** How far ahead hybrid time is reserved: 1 s. */
const HLC_RESERVE = hlcFromMs(1000);

/** Dead origins whose last commit is remembered, the latest ones. */
const FINALS_MAX = 1024;

/**
 * What the steps of a replica share: who it is, what it has applied, and the rows that keep both.
 * Nothing else changes any of it.
 */
export class ReplicaState {
  readonly vector: Vector;
  /** Per origin the greatest dot that was collected here or at a member. */
  readonly floor: Vector;
  /** The last commits of origins that were retired. */
  finals: Vector;
  identity: Identity;
  record: MembershipRecord;
  hlc: number;
  /** See `conflicts.ts`; since this object was made. */
  conflictsTotal = 0;
  #hlcBound: number;
  #storedEpoch: number;
  #isDirty: boolean;
  /** What was applied of other origins since the last own commit. */
  #news: Vector;

  constructor(loaded: Loaded) {
    this.identity = loaded.identity;
    this.record = loaded.record;
    this.vector = loaded.vector;
    this.floor = loaded.floor;
    this.finals = loaded.finals;
    this.hlc = loaded.hlc;
    this.#hlcBound = loaded.hlcBound;
    this.#storedEpoch = loaded.listedEpoch;
    this.#isDirty = loaded.isDirty;
    this.#news = this.#everything();
  }

  /** True if this replica is a member of the record it acts under. */
  get isMember(): boolean {
    return this.record.members.includes(this.identity.epoch);
  }

  /** The dot of the next own commit. */
  nextDot(): Dot {
    const { epoch, restart } = this.identity;
    return { epoch, restart, counter: this.vector.get(this.identity) + 1 };
  }

  /** Moves hybrid time forward. */
  observe(hlc: number): void {
    if (hlc > this.hlc) this.hlc = hlc;
  }

  /** True if nothing of that origin may be applied directly: not a member, or restarted since. */
  isFenced(origin: Origin): boolean {
    return !this.record.members.includes(origin.epoch) || this.vector.hasLaterRestart(origin);
  }

  /** True if no more commits of that origin can come: its member is gone, or restarted in `vector`. */
  isDead(origin: Origin, vector: Vector): boolean {
    if (origin.epoch > this.record.epoch) return false;
    return !this.record.members.includes(origin.epoch) || vector.hasLaterRestart(origin);
  }

  /** True if a vector claims commits of this replica that it never made. */
  isClaimedBeyond(vector: Vector): boolean {
    const isBeyond = vector.get(this.identity) > this.vector.get(this.identity);
    return isBeyond || vector.hasLaterRestart(this.identity);
  }

  /**
   * True if a vector claims that this replica is gone for good, or, while it knows of no later record,
   * another member is. Whoever believed that would give dots away twice, or take in no more updates.
   */
  isWrittenOff(vector: Vector): boolean {
    if (vector.hasLeft(this.identity.epoch)) return true;
    const { epoch, members } = this.record;
    return vector.epoch <= epoch && members.some((member) => vector.hasLeft(member));
  }

  /** Notes the own commit `dot`; returns what it depends on. */
  committed(dot: Dot, hlc: number): readonly Dot[] {
    const deps = this.#takeNews();
    this.vector.advance(dot);
    this.hlc = hlc;
    this.#isDirty = true;
    return deps;
  }

  /** Notes a commit of another origin. */
  applied({ dot, deps, hlc }: Update): void {
    for (const dep of deps) if (dep.epoch === dot.epoch && dep.counter === 0) this.#list(dep);
    this.vector.advance(dot);
    this.#news.raise(dot);
    this.observe(hlc);
    this.#isDirty = true;
  }

  /** Notes everything that a whole catch-up has brought. */
  joined(end: { readonly vector: Vector; readonly hlc: number }): void {
    for (const dot of end.vector.entries()) {
      if (this.vector.covers(dot)) continue;
      assert(compareOrigins(dot, this.identity) !== 0, "a peer knows more of us than we do");
      this.#news.raise(dot);
    }
    this.vector.join(end.vector);
    this.observe(end.hlc);
    this.#isDirty = true;
  }

  /** Lists the restarts of `member` that `vector` lists, all at once. */
  listRestarts(member: number, vector: Vector): boolean {
    const unknown = vector
      .entries()
      .filter(
        (dot) => dot.epoch === member && !this.vector.lists(dot) && !this.vector.hasRetired(dot),
      );
    for (const { epoch, restart } of unknown) this.vector.raise({ epoch, restart, counter: 0 });
    if (unknown.length > 0) this.#isDirty = true;
    return unknown.length > 0;
  }

  /** Acts under `record` from now on. */
  adopt(record: MembershipRecord): RowWrite[] {
    this.record = record;
    if (this.identity.isServing) this.#listMembers();
    return [recordWrite(record)];
  }

  /** Begins to serve, after the first whole catch-up. */
  serve(): RowWrite[] {
    this.identity = { ...this.identity, isServing: true };
    this.#listMembers();
    this.vector.raise({ ...this.identity, counter: 0 });
    this.#news = this.#everything();
    return [identityWrite(this.identity)];
  }

  /** Raises the floor to what was collected here, or, before, at a member. */
  raiseFloor(collected: Iterable<Dot>): RowWrite[] {
    let isRaised = false;
    for (const dot of collected) {
      if (this.vector.hasRetired(dot) || dot.counter <= this.floor.get(dot)) continue;
      this.floor.raise(dot);
      isRaised = true;
    }
    return isRaised ? [floorWrite(this.floor)] : [];
  }

  /** Takes dead origins out of the vector; their last commits are remembered. */
  retire(lasts: readonly Dot[]): RowWrite[] {
    for (const last of lasts) {
      this.vector.retire(last);
      this.floor.retire(last);
    }
    this.#isDirty = true;
    return [floorWrite(this.floor), ...this.remember(lasts)];
  }

  /** Remembers the last commits of origins that were retired here or at a member. */
  remember(lasts: readonly Dot[]): RowWrite[] {
    const unknown = lasts.filter((last) => !this.finals.lists(last));
    if (unknown.length === 0) return [];
    this.finals = new Vector([...this.finals.entries(), ...unknown].slice(-FINALS_MAX));
    return [finalsWrite(this.finals)];
  }

  /** The state rows that changed since the last call. */
  sealWrites(): RowWrite[] {
    if (this.hlc > this.#hlcBound) {
      this.#hlcBound = this.hlc + HLC_RESERVE;
      this.#isDirty = true;
    }
    if (!this.#isDirty) return [];
    this.#isDirty = false;
    const writes = [stateWrite({ hlcBound: this.#hlcBound, vector: this.vector })];
    if (this.vector.epoch !== this.#storedEpoch) {
      this.#storedEpoch = this.vector.epoch;
      writes.push(listedWrite(this.#storedEpoch));
    }
    return writes;
  }

  #list(origin: Dot): void {
    if (!this.vector.lists(origin) && !this.vector.hasRetired(origin)) this.vector.raise(origin);
  }

  #listMembers(): void {
    const { members, past, epoch } = this.record;
    this.vector.listMembers([...members, ...past], epoch);
    this.#isDirty = true;
  }

  /** What the first commit of this run depends on: all of others, and the own earlier restarts. */
  #everything(): Vector {
    const { epoch } = this.identity;
    const isNews = (dot: Dot): boolean => dot.counter > 0 || dot.epoch === epoch;
    const isOther = (dot: Dot): boolean => compareOrigins(dot, this.identity) !== 0;
    return new Vector(this.vector.entries().filter((dot) => isOther(dot) && isNews(dot)));
  }

  #takeNews(): readonly Dot[] {
    if (this.#news.size === 0) return NO_DOTS;
    const deps = this.#news.entries();
    this.#news = new Vector();
    return deps;
  }
}
