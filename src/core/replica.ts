// Why so long: it has a door for each step, and what the host must know of each; the steps are elsewhere.

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
import { resolvedByWrite } from "./conflicts.js";
import { dotsAbove, type IndexedDot } from "./dot-index.js";
import type { Dot, Origin } from "./dot.js";
import { noteStanding, standingOf, type StandingOutcome } from "./heartbeat.js";
import { hlcFromMs, hlcToMs, tick } from "./hlc.js";
import { IncomingCatchUps } from "./incoming.js";
import { ItemChanges } from "./item-changes.js";
import { decodeItem, TOMBSTONE, type Version } from "./item.js";
import { abandonWrites, rejoinWrites, sweepWrites } from "./joining.js";
import { applyVersion, pins, pushRowChanges, replacedDots, type Policy } from "./live-set.js";
import type { Identity, MembershipRecord } from "./meta.js";
import { openStore, type Founding, type Loaded, type OpenOptions } from "./opening.js";
import { DirectUpdates } from "./receiving.js";
import { retireOrigins } from "./retirement.js";
import { itemRowKey, type RowReader, type RowWrite } from "./rows.js";
import { checkSession, sessionEntryOf, type SessionCheck } from "./session-check.js";
import type { SessionEntry } from "./session.js";
import type { Standing } from "./standing.js";
import { ReplicaState } from "./state.js";
import {
  lastPerKey,
  type ChunkEffects,
  type CommitEffects,
  type Mutation,
  type ReceiveEffects,
  type Stamp,
  type Update,
  type UpdateEntry,
} from "./update.js";
import type { Vector } from "./vector.js";

const CHUNK_BUDGET: ChunkBudget = { keysMax: 256, bytesMax: 1024 * 1024 };
const STAGED_BYTES_MAX = 64 * 1024 * 1024;

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
  readonly #state: ReplicaState;
  readonly #updates: DirectUpdates;
  readonly #catchUps: IncomingCatchUps;
  readonly #acknowledgements: Acknowledgements;
  readonly #collector = new Collector();

  private constructor(loaded: Loaded, options: OpenOptions) {
    const { policy, stagedBytesMax, heldUpdatesMax } = options;
    this.policy = policy;
    this.#state = new ReplicaState(loaded);
    this.#updates = new DirectUpdates(this.#state, heldUpdatesMax);
    const bytesMax = stagedBytesMax ?? STAGED_BYTES_MAX;
    this.#catchUps = new IncomingCatchUps(this.#state, bytesMax);
    this.#acknowledgements = new Acknowledgements(this.#state.vector);
  }

  /**
   * Opens the replica in a store, or creates it in an empty one. Cheap: a handful of rows.
   * @throws EnokiError `ENOKI_STORAGE_FORMAT` if the store was written in another format
   */
  static open(reader: RowReader, options: OpenOptions): { replica: Replica; writes: RowWrite[] } {
    const { loaded, writes } = openStore(reader, options);
    return { replica: new Replica(loaded, options), writes };
  }

  /**
   * The rows that turn the store of a replica into that of one which joins under a new name. Nothing
   * of the old one may be needed any more; local rows stay. Then open it, and {@link sweep}.
   */
  static rejoin(reader: RowReader, founding: Founding): RowWrite[] {
    return rejoinWrites(reader, founding);
  }

  /** Who this replica is. */
  get identity(): Identity {
    return this.#state.identity;
  }

  /** The membership record it acts under. */
  get record(): MembershipRecord {
    return this.#state.record;
  }

  /** What it has applied. A view: clone it to keep it. */
  get vector(): Vector {
    return this.#state.vector;
  }

  /** The last commits of origins that its vector lists no longer, as far as they are kept. A view. */
  get finals(): Vector {
    return this.#state.finals;
  }

  /** Conflicts that it has resolved since it was opened (`conflicts.ts`). Only rises. */
  get conflictsTotal(): number {
    return this.#state.conflictsTotal;
  }

  /** The greatest hybrid time it has seen or shown. */
  get hlc(): number {
    return this.#state.hlc;
  }

  /** The origin of its own commits. */
  get origin(): Origin {
    return this.#state.identity;
  }

  /** The dot that the next {@link commit} will get; for CRDT deltas that carry it. */
  nextDot(): Dot {
    return this.#state.nextDot();
  }

  /** The hybrid time that a {@link commit} at `wallMs` will get. */
  nextHlc(wallMs: number): number {
    return tick(this.#state.hlc, wallMs);
  }

  /** The time by which expiry is judged. Never goes back within one object. */
  nowMs(wallMs: number): number {
    this.observe(hlcFromMs(wallMs));
    return hlcToMs(this.#state.hlc);
  }

  /** Moves hybrid time forward to what a session or a peer has seen. */
  observe(hlc: number): void {
    this.#state.observe(hlc);
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
    assert(this.identity.isServing, "a replica that is still joining cannot commit");
    assert(mutations.length > 0, "a commit needs a mutation");
    const { invocation, trace } = stamp;
    const dot = this.nextDot();
    const hlc = this.nextHlc(stamp.wallMs);
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
      const sibling = this.policy === "lww" ? undefined : { isSibling: true };
      const version = { dot, hlc, value, expiresAtMs, invocation, isPinned, ...sibling };
      const after = applyVersion(before, version, replaces);
      pushRowChanges(writes, { rowKey, key }, before, after);
      this.#state.conflictsTotal += resolvedByWrite(replaces);
      entries.push({ key, value, expiresAtMs, replaces, isPinned, ...sibling });
    }
    const deps = this.#state.committed(dot, hlc);
    return { dot, hlc, writes, update: { dot, hlc, deps, invocation, trace, entries } };
  }

  /**
   * The state rows that changed since the last seal. Call it once per transaction, last: the rows
   * belong to the same transaction as the writes before them.
   */
  sealWrites(): RowWrite[] {
    return this.#state.sealWrites();
  }

  /**
   * Step 2: takes an update that its origin has sent, in any order and any number of times, and
   * whatever waited for it.
   */
  receive(reader: RowReader, update: Update): ReceiveEffects {
    return this.#updates.receive(reader, update);
  }

  /** Applies what waited for a catch-up that has been installed. */
  receiveHeld(reader: RowReader): ReceiveEffects {
    return this.#updates.receiveHeld(reader);
  }

  /**
   * Step 3: begins to catch up from the member `from`. The answers go to {@link receiveChunk}.
   * A replica that joins runs one at a time, and must have been swept. `stagesAll`: however much it
   * brings, where joining afresh would lose something.
   */
  catchUpRequest(reader: RowReader, from: number, stagesAll = false): CatchUpRequest {
    return this.#catchUps.begin(reader, from, stagesAll);
  }

  /** Breaks off a catch-up whose link broke, or that takes too long. */
  cancelCatchUp(id: number): void {
    this.#catchUps.cancel(id);
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
    const { identity, record, vector, hlc, floor, finals } = this.#state;
    const isMember = record.members.includes(request.member);
    if (!identity.isServing || !isMember) return { type: "refused", id: request.id };
    return answerRequest(reader, request, {
      cursor,
      sender: { vector, hlc, floor, finals },
      budget,
    });
  }

  /** True when a `reset` is right: this replica lacks what its members have collected. */
  mustRejoin(floor: Vector): boolean {
    return !this.vector.includes(floor);
  }

  /**
   * Takes a chunk that a request brought; the last one installs everything at once. While the replica
   * joins, chunks are stored at once instead, unseen. `from`: the member that sent it.
   */
  receiveChunk(reader: RowReader, chunk: CatchUpChunk, from?: number): ChunkEffects {
    return this.#catchUps.receive(reader, chunk, from);
  }

  /**
   * While it joins: up to `limit` rows to drop of what the store held before; ask until there are
   * none. Only then may {@link catchUpRequest} follow.
   */
  sweep(reader: RowReader, limit: number): RowWrite[] {
    assert(!this.identity.isServing, "a replica that serves cannot be swept");
    return sweepWrites(reader, limit);
  }

  /** While it joins: forgets what it has stored, because no member can go on with it. Then sweep. */
  abandonJoin(): RowWrite[] {
    assert(!this.identity.isServing, "a replica that serves does not join");
    return abandonWrites();
  }

  /** Acts under a newer membership record from now on; an older one is ignored. */
  adopt(record: MembershipRecord): RowWrite[] {
    if (record.epoch <= this.record.epoch) return [];
    const writes = this.#state.adopt(record);
    this.#acknowledgements.renew(this.vector);
    this.#catchUps.keepOnly(record.members);
    this.#updates.prune();
    return writes;
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

  /**
   * Where this replica stands, for the other members of its record, and nobody else: who was removed
   * may lack what has been retired since.
   */
  standing(): Standing {
    return standingOf(this.#state, this.#acknowledgements);
  }

  /**
   * Takes where the member `from` stands, and the time `hlc` if it says so itself. What that changes
   * is stored with the next {@link sealWrites}; it needs no transaction of its own.
   */
  receiveStanding(from: number, standing: Standing, hlc?: number): StandingOutcome {
    const outcome = noteStanding(this.#state, this.#acknowledgements, from, standing);
    if (outcome.type !== "noted") return outcome;
    if (hlc !== undefined) this.observe(hlc);
    this.#updates.prune();
    return outcome;
  }

  /** Notes the durable vector that a member sent under the record of `epoch`. */
  acknowledge(member: number, epoch: number, durableVector: Vector): void {
    if (epoch !== this.record.epoch || !this.record.members.includes(member)) return;
    this.#acknowledgements.note(member, durableVector, this.vector);
  }

  /** Per origin the last commit that every member is known to have on stable storage. */
  get stableVector(): Vector {
    return this.#acknowledgements.stableVector(this.identity.epoch, this.record, this.vector);
  }

  /** What a client that sees this replica now has seen, for its session. */
  sessionEntry(): SessionEntry {
    return sessionEntryOf(this.#state, this.#acknowledgements);
  }

  /** Whether this replica shows what a session has seen. */
  checkSession(entry: SessionEntry): SessionCheck {
    return checkSession(this.#state, this.#acknowledgements, entry);
  }

  /**
   * The live versions that no other member was ever heard to have on stable storage, for an export
   * before they are given up. Reads pages: the store must not change meanwhile.
   */
  unproven(reader: RowReader): Iterable<IndexedDot> {
    const { proven } = this.#acknowledgements;
    return dotsAbove(reader, (origin) => proven.reach(origin));
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
    const writes = this.#catchUps.dropLeftovers(reader, options.limit);
    if (!this.identity.isServing || !this.#state.isMember) return writes;
    const { epoch } = this.identity;
    const isStable = this.#acknowledgements.stability(epoch, this.record, this.vector);
    const terms = { nowMs: this.nowMs(options.wallMs), isStable };
    const changes = new ItemChanges(reader);
    const dots = this.#collector.collect(reader, changes, terms, options.limit);
    if (dots.length === 0) return writes;
    return [...writes, ...changes.writes(), ...this.#state.raiseFloor(dots)];
  }

  /**
   * Takes origins out of the vector from which nothing more will come and which all members have to
   * the end. Cheap when there are none.
   */
  retire(): RowWrite[] {
    return retireOrigins(this.#state, this.#acknowledgements);
  }
}
