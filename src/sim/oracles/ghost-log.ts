import { compareDots, equalDots, type Dot, type Origin } from "../../core/dot.js";
import { compareVersions, type Version } from "../../core/item.js";
import type { Policy } from "../../core/live-set.js";
import type { Update } from "../../core/update.js";
import { isCrdt, TAG } from "../../core/value.js";
import type { Vector } from "../../core/vector.js";

/** One number per origin. */
export function originNumber({ epoch, restart }: Origin): number {
  return epoch * 2 ** 20 + restart;
}

/** One commit that was ever made. */
export interface Ghost {
  readonly update: Update;
  /** All that the origin had applied when it committed. */
  readonly past: Vector;
  readonly atMs: number;
  /** The node that made it. */
  readonly node: number;
  isAcknowledged: boolean;
  /** It may be missing at the end: whatever had it is gone. */
  isExcused: boolean;
  /** Nobody was ever shown it, and it is gone: its dot may be given away again. */
  isForgotten: boolean;
}

/** One key of a commit. */
interface Write {
  readonly ghost: Ghost;
  readonly version: Version;
  readonly replaces: readonly Dot[];
  /** Writes of the same key that replace it. */
  replacedBy: Write[];
}

/**
 * The checker's own history: every commit ever made. It knows what a replica with a given vector
 * must show, by the plainest possible rules, and shares no code with the core's live sets.
 */
export class GhostLog {
  /** By origin, then by counter. */
  readonly #origins = new Map<number, Map<number, Ghost>>();
  readonly #byWriter = new Map<number, Ghost>();
  readonly #writes = new Map<string, Write[]>();
  /** Last counters of origins that some replica has retired. */
  readonly #finals = new Map<number, number>();
  /** All commits, by the time they were made. */
  readonly #timeline: Ghost[] = [];

  /** Adds a commit, and returns false if its dot was used before: then nothing is added. */
  add(ghost: Ghost): boolean {
    const { dot, hlc, invocation, entries } = ghost.update;
    const known = this.#origins.get(originNumber(dot)) ?? new Map<number, Ghost>();
    if (known.has(dot.counter)) return false;
    known.set(dot.counter, ghost);
    this.#origins.set(originNumber(dot), known);
    this.#timeline.push(ghost);
    if (invocation) this.#byWriter.set(writerNumber(invocation), ghost);
    for (const { key, value, expiresAtMs, replaces } of entries) {
      const version = { dot, hlc, value, expiresAtMs, invocation, isPinned: false };
      const write: Write = { ghost, version, replaces, replacedBy: [] };
      const writes = this.#writesOf(key);
      for (const other of writes) {
        if (isIn(replaces, other.version.dot)) other.replacedBy.push(write);
      }
      writes.push(write);
    }
    return true;
  }

  /** Forgets a commit that no one was ever shown. */
  forget(ghost: Ghost): void {
    const { dot, entries } = ghost.update;
    this.#origins.get(originNumber(dot))?.delete(dot.counter);
    ghost.isForgotten = true;
    ghost.isExcused = true;
    for (const { key } of entries) {
      const left = this.#writesOf(key).filter((write) => write.ghost !== ghost);
      for (const write of left) {
        write.replacedBy = write.replacedBy.filter((other) => other.ghost !== ghost);
      }
      this.#writes.set(nameOf(key), left);
    }
  }

  /** All commits, also forgotten ones, by the time they were made. */
  get timeline(): readonly Ghost[] {
    return this.#timeline;
  }

  of(dot: Dot): Ghost | undefined {
    return this.#origins.get(originNumber(dot))?.get(dot.counter);
  }

  /** The commit of a writer's invocation id. */
  ofWriter(writer: Uint8Array): Ghost | undefined {
    return this.#byWriter.get(writerNumber(writer));
  }

  /** The last counter of an origin that some replica has retired. */
  finalOf(origin: Origin): number | undefined {
    return this.#finals.get(originNumber(origin));
  }

  /** Notes the last commit of an origin as a replica retires it. */
  retire(last: Dot): void {
    this.#finals.set(originNumber(last), last.counter);
  }

  /** True when the commit was applied; what retired origins never sent does not count. */
  covers(vector: Vector, dot: Dot): boolean {
    if (dot.counter <= vector.get(dot)) return true;
    if (!vector.covers(dot)) return false;
    const last = this.finalOf(dot);
    return last !== undefined && dot.counter <= last;
  }

  /** All commits that have written a key, and that a replica with that vector has applied. */
  *appliedTo(vector: Vector, key: Uint8Array): Generator<Ghost> {
    for (const { ghost } of this.#writesOf(key)) {
      if (this.covers(vector, ghost.update.dot)) yield ghost;
    }
  }

  /** What a replica with that vector must show of a key, in the order of dots. */
  visible(policy: Policy, vector: Vector, key: Uint8Array, nowMs: number): Version[] {
    const isApplied = ({ version }: Write): boolean => this.covers(vector, version.dot);
    const applied = this.#writesOf(key).filter(isApplied);
    const isShown = ({ version }: Write): boolean =>
      version.value.tag !== TAG.tombstone &&
      !(version.expiresAtMs !== 0 && version.expiresAtMs <= nowMs);
    let shown = applied.filter((write) => isShown(write) && !write.replacedBy.some(isApplied));
    const [first] = applied;
    if (policy === "lww" && first) {
      let winner = first;
      for (const write of applied) {
        if (compareVersions(write.version, winner.version) > 0) winner = write;
      }
      const isPlainWin = !isCrdt(winner.version.value.tag) && isShown(winner);
      shown = isPlainWin ? [winner] : shown.filter(({ version }) => isCrdt(version.value.tag));
    }
    return shown
      .map(({ version }) => version)
      .sort((left, right) => compareDots(left.dot, right.dot));
  }

  /** A delete of the key that a replica with that vector has applied and that had seen that dot. */
  deleteOf(vector: Vector, key: Uint8Array, dot: Dot): Ghost | undefined {
    const isIt = ({ ghost, version }: Write): boolean =>
      version.value.tag === TAG.tombstone &&
      this.covers(vector, version.dot) &&
      this.covers(ghost.past, dot);
    return this.#writesOf(key).find(isIt)?.ghost;
  }

  #writesOf(key: Uint8Array): Write[] {
    const name = nameOf(key);
    const known = this.#writes.get(name);
    if (known) return known;
    const writes: Write[] = [];
    this.#writes.set(name, writes);
    return writes;
  }
}

/** The invocation id of the write `number` of client `client`. */
export function writerId(client: number, number: number): Uint8Array {
  const writer = new Uint8Array(16);
  writer[0] = client;
  new DataView(writer.buffer).setUint32(1, number);
  return writer;
}

function writerNumber(writer: Uint8Array): number {
  const number = new DataView(writer.buffer, writer.byteOffset).getUint32(1);
  return (writer[0] as number) * 2 ** 32 + number;
}

function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function isIn(dots: readonly Dot[], dot: Dot): boolean {
  return dots.some((other) => equalDots(other, dot));
}
