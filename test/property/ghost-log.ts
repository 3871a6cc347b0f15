import { compareDots, equalDots, formatDot, type Dot } from "../../src/core/dot.js";
import { compareVersions, type Version } from "../../src/core/item.js";
import type { Policy } from "../../src/core/live-set.js";
import type { Update } from "../../src/core/update.js";
import { isCrdt, TAG } from "../../src/core/value.js";
import type { Vector } from "../../src/core/vector.js";

interface Ghost {
  readonly update: Update;
  /** All that the origin had applied when it committed. */
  readonly past: readonly Dot[];
}

interface Write {
  readonly version: Version;
  /** Stays in sight under `siblings` until it is replaced. */
  readonly isKept: boolean;
  readonly replaces: readonly Dot[];
}

/**
 * Every commit ever made, kept aside: it knows what a replica with a given vector must show, by the
 * plainest possible rules, and shares no code with the core's live sets.
 */
export class GhostLog {
  readonly #commits = new Map<string, Ghost>();
  readonly #writes = new Map<string, Write[]>();
  /** Of origins that some replica has retired: their last commit, the same for all. */
  readonly #lasts = new Map<string, number>();

  add(update: Update, past: Vector, policy: Policy): void {
    const name = formatDot(update.dot);
    if (this.#commits.has(name)) throw new Error(`DOT REUSE ${name}`);
    this.#commits.set(name, { update, past: past.entries().filter(({ counter }) => counter > 0) });
    const { dot, hlc, invocation } = update;
    for (const { key, value, expiresAtMs, replaces } of update.entries) {
      const version = { dot, hlc, value, expiresAtMs, invocation, isPinned: false };
      const text = key.join();
      const writes = this.#writes.get(text) ?? [];
      const isKept = policy !== "lww" || isCrdt(value.tag);
      this.#writes.set(text, [...writes, { version, replaces, isKept }]);
    }
  }

  /** Notes that an origin was retired. */
  retired(last: Dot): void {
    const name = formatDot({ ...last, counter: 0 });
    const known = this.#lasts.get(name);
    if (known !== undefined && known !== last.counter) {
      throw new Error(`RETIRED ${formatDot(last)}, not ${known}`);
    }
    this.#lasts.set(name, last.counter);
  }

  /** Whether a replica with that vector has applied the commit. */
  isApplied(vector: Vector, dot: Dot): boolean {
    if (vector.lists(dot)) return dot.counter <= vector.get(dot);
    const last = this.#lasts.get(formatDot({ ...dot, counter: 0 }));
    return vector.covers(dot) && last !== undefined && dot.counter <= last;
  }

  /** Throws unless everything applied was applied after all it depends on. */
  checkCausality(vector: Vector): void {
    for (const [name, { update, past }] of this.#commits) {
      if (!this.isApplied(vector, update.dot)) continue;
      if (!past.every((dot) => this.isApplied(vector, dot))) throw new Error(`CAUSALITY ${name}`);
    }
    for (const last of vector.entries()) {
      if (last.counter > 0 && !this.#commits.has(formatDot(last))) {
        throw new Error(`INVENTED ${formatDot(last)}`);
      }
    }
  }

  /** What a replica with that vector must show of a key, in the order of dots. */
  visible(policy: Policy, vector: Vector, key: Uint8Array, nowMs: number): Version[] {
    const applied = (this.#writes.get(key.join()) ?? []).filter(({ version }) =>
      this.isApplied(vector, version.dot),
    );
    const isReplaced = ({ version }: Write): boolean =>
      applied.some((other) => other.replaces.some((dot) => equalDots(dot, version.dot)));
    const isShown = ({ version }: Write): boolean =>
      version.value.tag !== TAG.tombstone &&
      !(version.expiresAtMs !== 0 && version.expiresAtMs <= nowMs);
    if (applied.length === 0) return [];
    const winner = applied.reduce((best, write) =>
      compareVersions(write.version, best.version) > 0 ? write : best,
    );
    let shown = applied.filter(
      (write) => !isReplaced(write) && isShown(write) && (write.isKept || write === winner),
    );
    if (policy === "lww") {
      const isPlainWin = !isCrdt(winner.version.value.tag) && isShown(winner);
      shown = isPlainWin ? [winner] : shown.filter(({ version }) => isCrdt(version.value.tag));
    }
    return shown
      .map(({ version }) => version)
      .sort((left, right) => compareDots(left.dot, right.dot));
  }
}
