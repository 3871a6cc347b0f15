import { assert } from "../base/assert.js";
import { ByteMap } from "./byte-map.js";
import { dotsOf, decodeItem, TOMBSTONE, type Version } from "./item.js";
import { compareOrigins, includesDot, type Dot, type Origin } from "./dot.js";
import { hlcFromMs, hlcToMs, tick } from "./hlc.js";
import { applyVersion, pins, pushRowChanges, type Policy } from "./live-set.js";
import {
  checkFormat,
  formatWrite,
  identityWrite,
  readIdentity,
  readRecord,
  readState,
  recordWrite,
  stateWrite,
  type Identity,
  type MembershipRecord,
} from "./meta.js";
import { itemRowKey, type RowReader, type RowWrite } from "./rows.js";
import type { Mutation, Stamp, Update, UpdateEntry } from "./update.js";
import { Vector } from "./vector.js";

/** What a new replica is. Without it, it is the founder and only member of generation 1. */
export interface Founding {
  readonly generation: number;
  /** The epoch at which this member joined: its name. */
  readonly epoch: number;
  readonly record: MembershipRecord;
  /** True for the founder; everyone else serves after its first catch-up. */
  readonly isServing: boolean;
}

/** How a replica is opened. */
export interface OpenOptions {
  readonly wallMs: number;
  readonly policy: Policy;
  /**
   * True if the stored state is certainly all that was ever acknowledged or sent: after a clean
   * stop, in `strict`, under the same OS boot, or when an aborted transaction made the host throw
   * the previous object away. False raises `restart`; the returned writes must then be on stable
   * storage before the first commit.
   */
  readonly resumes: boolean;
  readonly founding?: Founding;
  /** The `hlc` of the object that was thrown away in this process; else the stored bound counts. */
  readonly hlc?: number;
}

/** What a commit did; the writes are to be stored in the transaction that was read. */
export interface CommitEffects {
  readonly dot: Dot;
  readonly hlc: number;
  readonly writes: RowWrite[];
  /** To be sent to all members, once it is stored. */
  readonly update: Update;
}

const FOUNDER: Founding = {
  generation: 1,
  epoch: 1,
  record: { epoch: 1, members: [1], past: [] },
  isServing: true,
};

const NO_DOTS: readonly Dot[] = [];

/** How far ahead hybrid time is reserved: 1 s. */
const HLC_RESERVE = hlcFromMs(1000);

/**
 * One node's copy of a keygroup. It decides, the host stores: every method that returns row writes
 * expects them in the transaction that `reader` belongs to, before anything else is asked. If that
 * transaction fails, the object is worthless: drop it and open another.
 *
 * Invariants: 1. the live versions are a pure function of the vector. 2. the vector is causally
 * closed. 3. a dot is never used twice. 4. hybrid time never goes back.
 */
export class Replica {
  readonly policy: Policy;
  readonly #vector: Vector;
  #identity: Identity;
  #record: MembershipRecord;
  #hlc: number;
  #hlcBound: number;
  #isStateDirty = false;
  /** What was applied of other origins since the last own commit. */
  #news: Vector;

  private constructor(
    policy: Policy,
    loaded: { identity: Identity; record: MembershipRecord; vector: Vector; hlcBound: number },
    hlc: number,
  ) {
    this.policy = policy;
    this.#identity = loaded.identity;
    this.#record = loaded.record;
    this.#vector = loaded.vector;
    this.#hlcBound = loaded.hlcBound;
    this.#hlc = hlc;
    const own = (dot: Dot): boolean => compareOrigins(dot, loaded.identity) === 0;
    this.#news = new Vector(loaded.vector.entries().filter((dot) => !own(dot)));
  }

  /**
   * Opens the replica in a store, or creates it in an empty one. Cheap: four rows.
   * @throws EnokiError `ENOKI_STORAGE_FORMAT` if the store was written in another format
   */
  static open(reader: RowReader, options: OpenOptions): { replica: Replica; writes: RowWrite[] } {
    if (!checkFormat(reader)) return Replica.#create(options);
    const stored = readIdentity(reader);
    const { vector, hlcBound } = readState(reader);
    const identity = options.resumes ? stored : { ...stored, restart: stored.restart + 1 };
    const loaded = { identity, record: readRecord(reader), vector, hlcBound };
    const replica = new Replica(options.policy, loaded, options.hlc ?? hlcBound);
    return { replica, writes: options.resumes ? [] : [identityWrite(identity)] };
  }

  static #create(options: OpenOptions): { replica: Replica; writes: RowWrite[] } {
    const { record, generation, epoch, isServing } = options.founding ?? FOUNDER;
    const identity = { generation, epoch, restart: 0, isServing };
    const hlcBound = hlcFromMs(options.wallMs);
    const loaded = { identity, record, vector: new Vector(), hlcBound };
    const replica = new Replica(options.policy, loaded, hlcBound);
    const writes = [
      formatWrite(),
      identityWrite(identity),
      recordWrite(record),
      stateWrite(loaded),
    ];
    return { replica, writes };
  }

  /** Who this replica is. */
  get identity(): Identity {
    return this.#identity;
  }

  /** The membership record it acts under. */
  get record(): MembershipRecord {
    return this.#record;
  }

  /** What it has applied. A view: clone it to keep it. */
  get vector(): Vector {
    return this.#vector;
  }

  /** The greatest hybrid time it has seen or shown. */
  get hlc(): number {
    return this.#hlc;
  }

  /** The origin of its own commits. */
  get origin(): Origin {
    return this.#identity;
  }

  /** The dot that the next {@link commit} will get; for CRDT deltas that carry it. */
  nextDot(): Dot {
    const { epoch, restart } = this.#identity;
    return { epoch, restart, counter: this.#vector.get(this.#identity) + 1 };
  }

  /** The hybrid time that a {@link commit} at `wallMs` will get. */
  nextHlc(wallMs: number): number {
    return tick(this.#hlc, wallMs);
  }

  /** The time by which expiry is judged. Never goes back within one object. */
  nowMs(wallMs: number): number {
    this.observe(hlcFromMs(wallMs));
    return hlcToMs(this.#hlc);
  }

  /** Moves hybrid time forward to what a session or a peer has seen. */
  observe(hlc: number): void {
    if (hlc > this.#hlc) this.#hlc = hlc;
  }

  /** The live versions of a key: also tombstones and expired ones (see `visible.ts`). */
  read(reader: RowReader, key: Uint8Array): Version[] {
    const stored = reader.get(itemRowKey(key));
    return stored ? decodeItem(stored) : [];
  }

  /**
   * Step 1: makes one atomic commit of all mutations, under one new dot. If a key occurs twice, its
   * last mutation counts.
   */
  commit(reader: RowReader, mutations: readonly Mutation[], stamp: Stamp): CommitEffects {
    assert(this.#identity.isServing, "a replica that is still joining cannot commit");
    assert(mutations.length > 0, "a commit needs a mutation");
    const dot = this.nextDot();
    const hlc = tick(this.#hlc, stamp.wallMs);
    const writes: RowWrite[] = [];
    const entries: UpdateEntry[] = [];
    for (const mutation of mutations.length === 1 ? mutations : lastPerKey(mutations)) {
      const { key } = mutation;
      const rowKey = itemRowKey(key);
      const stored = reader.get(rowKey);
      const before = stored ? decodeItem(stored) : [];
      const replaces = replacedDots(before, mutation.replaces);
      const value = mutation.value ?? TOMBSTONE;
      const expiresAtMs = mutation.value ? mutation.expiresAtMs : 0;
      const isPinned = pins(this.policy, value, before, replaces);
      const version = { dot, hlc, value, expiresAtMs, invocation: stamp.invocation, isPinned };
      const after = applyVersion(this.policy, before, version, replaces);
      pushRowChanges(writes, this.policy, { rowKey, key }, before, after);
      entries.push({ key, value, expiresAtMs, replaces, isPinned });
    }
    const deps = this.#takeNews();
    this.#vector.advance(dot);
    this.#hlc = hlc;
    this.#isStateDirty = true;
    return { dot, hlc, writes, update: { dot, hlc, deps, invocation: stamp.invocation, entries } };
  }

  /**
   * The state rows that changed since the last seal. Call it once per transaction, last: the rows
   * belong to the same transaction as the writes before them.
   */
  sealWrites(): RowWrite[] {
    if (this.#hlc > this.#hlcBound) {
      this.#hlcBound = this.#hlc + HLC_RESERVE;
      this.#isStateDirty = true;
    }
    if (!this.#isStateDirty) return [];
    this.#isStateDirty = false;
    return [stateWrite({ hlcBound: this.#hlcBound, vector: this.#vector })];
  }

  #takeNews(): readonly Dot[] {
    if (this.#news.size === 0) return NO_DOTS;
    const deps = this.#news.entries();
    this.#news = new Vector();
    return deps;
  }
}

function replacedDots(live: readonly Version[], replaces: "all" | readonly Dot[]): Dot[] {
  const dots = dotsOf(live);
  return replaces === "all" ? dots : dots.filter((dot) => includesDot(replaces, dot));
}

function lastPerKey(mutations: readonly Mutation[]): Iterable<Mutation> {
  const last = new ByteMap<Mutation>();
  for (const mutation of mutations) last.set(mutation.key, mutation);
  return last.values();
}
