import { compareDots, equalDots, formatDot, type Dot, type Origin } from "../core/dot.js";
import { compareVersions, type Version } from "../core/item.js";
import type { Policy } from "../core/live-set.js";
import type { Update } from "../core/update.js";
import { isCrdt, TAG } from "../core/value.js";
import type { Vector } from "../core/vector.js";

/** One commit that was ever made. */
export interface Ghost {
  readonly update: Update;
  /** All that the origin had applied when it committed. */
  readonly past: readonly Dot[];
  readonly atMs: number;
  /** The node that made it. */
  readonly node: number;
  isAcknowledged: boolean;
  /** It may be missing at the end: whatever had it is gone. */
  isExcused: boolean;
}

interface Write {
  readonly version: Version;
  readonly replaces: readonly Dot[];
}

/**
 * The checker's own history: every commit ever made. It knows what a replica with a given vector
 * must show, by the plainest possible rules, and shares no code with the core's live sets.
 */
export class GhostLog {
  readonly #ghosts = new Map<string, Ghost>();
  readonly #byWriter = new Map<string, Ghost>();
  readonly #writes = new Map<string, Write[]>();
  /** Last counters of origins that some replica has retired. */
  readonly #finals = new Map<string, number>();

  /** Adds a commit. @throws if its dot was used before */
  add(ghost: Ghost): void {
    const { update } = ghost;
    const name = formatDot(update.dot);
    if (this.#ghosts.has(name)) throw new Error(`DOT REUSED ${name}`);
    this.#ghosts.set(name, ghost);
    if (update.invocation) this.#byWriter.set(update.invocation.join(), ghost);
    const { dot, hlc, invocation } = update;
    for (const { key, value, expiresAtMs, replaces } of update.entries) {
      const version = { dot, hlc, value, expiresAtMs, invocation, isPinned: false };
      const text = key.join();
      const writes = this.#writes.get(text) ?? [];
      writes.push({ version, replaces });
      this.#writes.set(text, writes);
    }
  }

  /** Forgets a commit that no one was ever shown: its dot may be given away again. */
  forget(ghost: Ghost): void {
    const { dot, entries } = ghost.update;
    this.#ghosts.delete(formatDot(dot));
    for (const { key } of entries) {
      const text = key.join();
      const writes = this.#writes.get(text) ?? [];
      this.#writes.set(
        text,
        writes.filter(({ version }) => !equalDots(version.dot, dot)),
      );
    }
  }

  all(): Iterable<Ghost> {
    return this.#ghosts.values();
  }

  get size(): number {
    return this.#ghosts.size;
  }

  of(dot: Dot): Ghost | undefined {
    return this.#ghosts.get(formatDot(dot));
  }

  /** The commit of a writer's invocation id. */
  ofWriter(writer: Uint8Array): Ghost | undefined {
    return this.#byWriter.get(writer.join());
  }

  /** The last counter of an origin that some replica has retired. */
  finalOf({ epoch, restart }: Origin): number | undefined {
    return this.#finals.get(`${epoch}.${restart}`);
  }

  /** Notes the last commit of an origin as a replica retires it. */
  retire({ epoch, restart, counter }: Dot): void {
    this.#finals.set(`${epoch}.${restart}`, counter);
  }

  /** True when the commit was applied; what retired origins never sent does not count. */
  covers(vector: Vector, dot: Dot): boolean {
    if (!vector.covers(dot)) return false;
    if (dot.counter <= vector.get(dot)) return true;
    const last = this.finalOf(dot);
    return last !== undefined && dot.counter <= last;
  }

  /** What a replica with that vector must show of a key, in the order of dots. */
  visible(policy: Policy, vector: Vector, key: Uint8Array, nowMs: number): Version[] {
    const writes = this.#writes.get(key.join()) ?? [];
    const applied = writes.filter(({ version }) => this.covers(vector, version.dot));
    const replaced = new Set<string>();
    for (const { replaces } of applied) for (const dot of replaces) replaced.add(formatDot(dot));
    const isShown = ({ version }: Write): boolean =>
      version.value.tag !== TAG.tombstone &&
      !(version.expiresAtMs !== 0 && version.expiresAtMs <= nowMs);
    let shown = applied.filter((write) => isShown(write) && !isIn(replaced, write));
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
}

function isIn(replaced: ReadonlySet<string>, { version }: Write): boolean {
  return replaced.has(formatDot(version.dot));
}
