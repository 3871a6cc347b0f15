import type { Heartbeat } from "./heartbeat.js";
import type { RelayedStanding, Standing } from "./standing.js";
import type { Vector } from "./vector.js";
import { changedVector, NO_VECTOR, vectorChange, type VectorChange } from "./vector-change.js";

/** Where a member stands now, by what changed since it was last told on the same link. */
export interface StandingChange extends Omit<Standing, "applied" | "durable"> {
  readonly applied: VectorChange;
  /** `undefined`: the same as what is applied. */
  readonly durable: VectorChange | undefined;
}

/** What is said of a third member. */
export interface RelayedChange {
  readonly member: number;
  /** `undefined`: it stands where it stood when it was last told of. */
  readonly standing: StandingChange | undefined;
  /** See `RelayedStanding`. */
  readonly echo: number;
}

/**
 * A heartbeat as it travels: what changed since the one before it. With nothing new, that is little
 * more than two stamps, however many members there are.
 */
export interface HeartbeatChange {
  /** The stamp of the one before it; `undefined`: it says everything. */
  readonly since: number | undefined;
  /** The receiver shall say everything in its next one: some of what it said was lost. */
  readonly asksForAll: boolean;
  readonly hlc: number;
  readonly stamp: number;
  readonly echo: number | undefined;
  /** `undefined`: where it stood. */
  readonly standing: StandingChange | undefined;
  /** `undefined`: those whom it wanted. */
  readonly wants: readonly number[] | undefined;
  /** In the order of members. Each has an echo, so the heartbeat has one, too. */
  readonly relayed: readonly RelayedChange[];
}

/** Members of whom one link has told; when there were more, it begins anew. */
const TOLD_MAX = 1024;
/** Entries of vectors that are kept of what one peer has told, so that it cannot fill the memory. */
const ENTRIES_MAX = 2 ** 18;

/** The heartbeats that go to one peer, while a link to it is up. */
export class OutgoingHeartbeats {
  #since: number | undefined;
  #wants: readonly number[] | undefined;
  readonly #standings = new Map<number, Standing>();
  readonly #echoes = new Map<number, number>();

  /** Says everything in the next one: what was to be said last may not arrive. */
  reset(): void {
    this.#since = undefined;
    this.#wants = undefined;
    this.#standings.clear();
    this.#echoes.clear();
  }

  /** What travels of the next one. A relayed standing that says nothing new is left out. */
  next(heartbeat: Heartbeat, asksForAll: boolean): HeartbeatChange {
    const { hlc, stamp, echo } = heartbeat;
    if (this.#standings.size > TOLD_MAX) this.reset();
    const since = this.#since;
    this.#since = stamp;
    const standing = this.#change(heartbeat.standing);
    const wants = isSameList(this.#wants, heartbeat.wants) ? undefined : heartbeat.wants;
    this.#wants = heartbeat.wants;
    const relayed: RelayedChange[] = [];
    for (const { standing: theirs, echo } of heartbeat.relayed) {
      const { member } = theirs;
      const isFresher = echo > (this.#echoes.get(member) ?? -1);
      if (!isFresher && this.#standings.get(member) === theirs) continue;
      this.#echoes.set(member, echo);
      relayed.push({ member, standing: this.#change(theirs), echo });
    }
    return { since, asksForAll, hlc, stamp, echo, standing, wants, relayed };
  }

  #change(standing: Standing): StandingChange | undefined {
    const before = this.#standings.get(standing.member);
    if (before === standing) return undefined;
    this.#standings.set(standing.member, standing);
    const { epoch, member, restart, isServing, applied, durable } = standing;
    const isSame = vectorChange(applied, durable) === undefined;
    return {
      epoch,
      member,
      restart,
      isServing,
      applied: changeOf(before?.applied, applied),
      durable: isSame ? undefined : changeOf(before?.durable, durable),
    };
  }
}

/** The heartbeats that come of one peer, while a link to it is up. */
export class IncomingHeartbeats {
  #stamp = -1;
  #isLost = false;
  #wants: readonly number[] = [];
  #sender: Standing | undefined;
  readonly #standings = new Map<number, Standing>();
  #entries = 0;

  /** True if one was lost, so that the others say too little until one says everything. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /**
   * What a heartbeat says; `undefined` if it is older than another one, builds on what was lost or
   * never told, or tells of more than is kept.
   */
  take(change: HeartbeatChange): Heartbeat | undefined {
    const { since, stamp } = change;
    if (stamp <= this.#stamp) return undefined;
    if (since === undefined) this.#reset();
    else if (since !== this.#stamp) this.#isLost = true;
    if (this.#isLost) return undefined;
    const heartbeat = this.#take(change);
    if (heartbeat && this.#entries <= ENTRIES_MAX) return heartbeat;
    this.#reset();
    this.#isLost = true;
    return undefined;
  }

  #reset(): void {
    this.#standings.clear();
    this.#sender = undefined;
    this.#entries = 0;
    this.#isLost = false;
  }

  #take(change: HeartbeatChange): Heartbeat | undefined {
    const { stamp, hlc, echo } = change;
    this.#stamp = stamp;
    this.#wants = change.wants ?? this.#wants;
    if (change.standing) this.#sender = this.#changed(change.standing);
    const relayed: RelayedStanding[] = [];
    for (const { member, standing: theirs, echo } of change.relayed) {
      const standing = theirs ? this.#changed(theirs) : this.#standings.get(member);
      if (!standing) return undefined;
      relayed.push({ standing, echo });
    }
    const standing = this.#sender;
    return standing && { standing, hlc, stamp, echo, wants: this.#wants, relayed };
  }

  #changed({ applied, durable, ...who }: StandingChange): Standing | undefined {
    const before = this.#standings.get(who.member);
    const nowApplied = changedVector(before?.applied ?? NO_VECTOR, applied);
    const nowDurable = durable ? changedVector(before?.durable ?? NO_VECTOR, durable) : nowApplied;
    if (!isWhole(nowApplied) || !isWhole(nowDurable)) return undefined;
    const standing = { ...who, applied: nowApplied, durable: nowDurable };
    this.#standings.set(who.member, standing);
    this.#entries += sizeOf(standing) - (before ? sizeOf(before) : 0);
    return standing;
  }
}

function sizeOf({ applied, durable }: Standing): number {
  return 1 + applied.size + durable.size;
}

/** True if a vector lists nobody who joined after its epoch. */
function isWhole(vector: Vector): boolean {
  return vector.epoch === 0 || vector.latestMember <= vector.epoch;
}

/** The changes to a vector from the one before it: many peers are told the same. */
const changes = new WeakMap<Vector, { readonly before: Vector; readonly change: VectorChange }>();

function changeOf(before: Vector = NO_VECTOR, after: Vector): VectorChange {
  const known = changes.get(after);
  if (known?.before === before) return known.change;
  const change = vectorChange(before, after) ?? { epoch: after.epoch, entries: [], removed: [] };
  changes.set(after, { before, change });
  return change;
}

function isSameList(left: readonly number[] | undefined, right: readonly number[]): boolean {
  return left?.length === right.length && left.every((member, at) => member === right[at]);
}
