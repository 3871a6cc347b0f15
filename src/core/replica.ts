// Why so long: the three steps share one state that nothing else may touch.

import { assert } from "../base/assert.js";
import { Acknowledgements } from "./acknowledgements.js";
import {
  answerRequest,
  type CatchUpAnswer,
  type CatchUpChunk,
  type CatchUpCursor,
  type CatchUpRequest,
  type ChunkBudget,
} from "./catch-up.js";
import { Collector } from "./collect.js";
import { decodeItem, TOMBSTONE, type Version } from "./item.js";
import { compareOrigins, type Dot, type Origin } from "./dot.js";
import { hlcFromMs, hlcToMs, tick } from "./hlc.js";
import { HeldUpdates } from "./held-updates.js";
import { ItemChanges } from "./item-changes.js";
import { applyVersion, pins, pushRowChanges, replacedDots, type Policy } from "./live-set.js";
import {
  floorWrite,
  identityWrite,
  recordWrite,
  stateWrite,
  type Identity,
  type MembershipRecord,
} from "./meta.js";
import { openStore, type Loaded, type OpenOptions } from "./opening.js";
import { itemRowKey, type RowReader, type RowWrite } from "./rows.js";
import { Staging } from "./staging.js";
import {
  lastPerKey,
  type CommitEffects,
  type Mutation,
  type ReceiveEffects,
  type Stamp,
  type Update,
  type UpdateEntry,
} from "./update.js";
import { Vector } from "./vector.js";

const CHUNK_BUDGET: ChunkBudget = { keysMax: 256, bytesMax: 1024 * 1024 };

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
  readonly #floor: Vector;
  readonly #held = new HeldUpdates();
  readonly #staging = new Staging();
  readonly #acknowledgements = new Acknowledgements();
  readonly #collector = new Collector();
  /** What was applied of other origins since the last own commit. */
  #news: Vector;

  private constructor(policy: Policy, loaded: Loaded) {
    this.policy = policy;
    this.#identity = loaded.identity;
    this.#record = loaded.record;
    this.#vector = loaded.vector;
    this.#floor = loaded.floor;
    this.#hlcBound = loaded.hlcBound;
    this.#hlc = loaded.hlc;
    const own = (dot: Dot): boolean => compareOrigins(dot, loaded.identity) === 0;
    this.#news = new Vector(loaded.vector.entries().filter((dot) => !own(dot)));
  }

  /**
   * Opens the replica in a store, or creates it in an empty one. Cheap: a handful of rows.
   * @throws EnokiError `ENOKI_STORAGE_FORMAT` if the store was written in another format
   */
  static open(reader: RowReader, options: OpenOptions): { replica: Replica; writes: RowWrite[] } {
    const { loaded, writes } = openStore(reader, options);
    return { replica: new Replica(options.policy, loaded), writes };
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

  /**
   * Step 2: takes an update that its origin has sent, in any order and any number of times, and
   * whatever waited for it.
   */
  receive(reader: RowReader, update: Update): ReceiveEffects {
    const { dot } = update;
    if (!this.#identity.isServing || this.#vector.covers(dot) || this.#isFenced(update)) {
      return { writes: [], applied: [], outcome: "ignored" };
    }
    if (!this.#isNext(update)) {
      return { writes: [], applied: [], outcome: this.#held.hold(update) ? "held" : "dropped" };
    }
    const changes = new ItemChanges(reader, this.policy);
    this.#apply(changes, update);
    const applied = [update, ...this.#drainHeld(changes)];
    return { writes: changes.writes(), applied, outcome: "applied" };
  }

  /** Step 3: begins to catch up from the member `from`. The answers go to {@link receiveChunk}. */
  catchUpRequest(reader: RowReader, from: number): CatchUpRequest {
    const isFresh = !this.#identity.isServing;
    const vector = isFresh ? new Vector() : this.#vector.clone();
    return { id: this.#staging.begin(reader, from), member: this.#identity.epoch, vector, isFresh };
  }

  /** Breaks off a catch-up whose link broke, or that takes too long. */
  cancelCatchUp(id: number): void {
    this.#staging.cancel(id);
  }

  /**
   * Answers another member's request with the next chunk. Pass the cursor of the answer before it;
   * the answer without a cursor is the last.
   */
  serveCatchUp(
    reader: RowReader,
    request: CatchUpRequest,
    cursor?: CatchUpCursor,
    budget: ChunkBudget = CHUNK_BUDGET,
  ): CatchUpAnswer {
    const isMember = this.#record.members.includes(request.member);
    if (!this.#identity.isServing || !isMember) return { type: "refused", id: request.id };
    const sender = { vector: this.#vector, hlc: this.#hlc, floor: this.#floor };
    return answerRequest(reader, request, { cursor, sender, budget });
  }

  /** True when a `reset` is right: this replica lacks what its members have collected. */
  mustRejoin(floor: Vector): boolean {
    return !this.#vector.includes(floor);
  }

  /** Takes a chunk that a request brought; the last one installs everything at once. */
  receiveChunk(reader: RowReader, chunk: CatchUpChunk): ReceiveEffects {
    if (!this.#staging.accepts(chunk)) return { writes: [], applied: [], outcome: "ignored" };
    if (!chunk.end) {
      return { writes: this.#staging.stageWrites(chunk), applied: [], outcome: "held" };
    }
    const changes = new ItemChanges(reader, this.policy);
    const writes = this.#staging.install(reader, chunk, changes, {
      policy: this.policy,
      vector: this.#vector,
    });
    this.#joinVector(chunk.end.vector);
    this.observe(chunk.end.hlc);
    if (!this.#floor.includes(chunk.end.floor)) {
      this.#floor.join(chunk.end.floor);
      writes.push(floorWrite(this.#floor));
    }
    if (!this.#identity.isServing) {
      this.#identity = { ...this.#identity, isServing: true };
      writes.push(identityWrite(this.#identity));
    }
    const applied = this.#drainHeld(changes);
    for (const write of changes.writes()) writes.push(write);
    return { writes, applied, outcome: "applied" };
  }

  /** Acts under a newer membership record from now on; an older one is ignored. */
  adopt(record: MembershipRecord): RowWrite[] {
    if (record.epoch <= this.#record.epoch) return [];
    this.#record = record;
    this.#acknowledgements.clear();
    this.#staging.keepOnly(record.members);
    this.#held.prune(this.#vector, (update) => this.#isFenced(update));
    return [recordWrite(record)];
  }

  /**
   * Notes that all commits up to `vector` are on stable storage. Take a clone of {@link vector}
   * before the sync begins, and pass it when the sync has ended.
   */
  durable(vector: Vector): void {
    this.#acknowledgements.durable(vector);
  }

  /** What this replica has on stable storage, as far as it was told; for heartbeats. */
  get durableVector(): Vector {
    return this.#acknowledgements.durableVector;
  }

  /** Notes the durable vector that a member sent under the record of `epoch`. */
  acknowledge(member: number, epoch: number, durableVector: Vector): void {
    if (epoch !== this.#record.epoch || !this.#record.members.includes(member)) return;
    this.#acknowledgements.note(member, durableVector, this.#vector);
  }

  /**
   * Removes tombstones and expired versions that every member has on stable storage, and rows of
   * broken catch-ups; looks at no more than `limit` rows of each kind and goes on from there at the
   * next call.
   */
  collect(
    reader: RowReader,
    options: { readonly limit: number; readonly wallMs: number },
  ): RowWrite[] {
    const writes = this.#staging.dropLeftovers(reader, options.limit);
    const { isServing, epoch } = this.#identity;
    if (!isServing || !this.#record.members.includes(epoch)) return writes;
    const isStable = this.#acknowledgements.stability(epoch, this.#record, this.#vector);
    const terms = { policy: this.policy, nowMs: this.nowMs(options.wallMs), isStable };
    const changes = new ItemChanges(reader, this.policy);
    const dots = this.#collector.collect(reader, changes, terms, options.limit);
    if (dots.length === 0) return writes;
    for (const dot of dots) this.#floor.raise(dot);
    return [...writes, ...changes.writes(), floorWrite(this.#floor)];
  }

  /** True if nothing of that origin may be applied directly: not a member, or restarted since. */
  #isFenced({ dot }: Update): boolean {
    return !this.#record.members.includes(dot.epoch) || this.#vector.hasLaterRestart(dot);
  }

  #isNext(update: Update): boolean {
    const { dot, deps } = update;
    return this.#vector.get(dot) + 1 === dot.counter && this.#vector.coversAll(deps);
  }

  #apply(changes: ItemChanges, update: Update): void {
    const { dot, hlc, invocation } = update;
    for (const { key, value, expiresAtMs, replaces, isPinned } of update.entries) {
      const version = { dot, hlc, value, expiresAtMs, invocation, isPinned };
      changes.set(key, applyVersion(this.policy, changes.get(key), version, replaces));
    }
    this.#vector.advance(dot);
    this.#news.raise(dot);
    this.observe(hlc);
    this.#isStateDirty = true;
  }

  #drainHeld(changes: ItemChanges): Update[] {
    const applied: Update[] = [];
    if (this.#held.size === 0) return applied;
    for (;;) {
      this.#held.prune(this.#vector, (held) => this.#isFenced(held));
      const update = this.#held.takeReady((held) => this.#isNext(held));
      if (!update) return applied;
      this.#apply(changes, update);
      applied.push(update);
    }
  }

  #joinVector(vector: Vector): void {
    for (const dot of vector.entries()) {
      if (this.#vector.covers(dot)) continue;
      assert(compareOrigins(dot, this.#identity) !== 0, "a peer knows more of us than we do");
      this.#vector.raise(dot);
      this.#news.raise(dot);
    }
    this.#isStateDirty = true;
  }

  #takeNews(): readonly Dot[] {
    if (this.#news.size === 0) return NO_DOTS;
    const deps = this.#news.entries();
    this.#news = new Vector();
    return deps;
  }
}
