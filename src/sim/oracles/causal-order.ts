import { formatDot, type Dot } from "../../core/dot.js";
import type { Vector } from "../../core/vector.js";
import type { SimNode } from "../cluster/node.js";
import type { OracleContext } from "./context.js";
import { originNumber, type Ghost } from "./ghost-log.js";
import { vectorText } from "./texts.js";
import type { OwnCommit, Step, WatchedReplica } from "./watched-replica.js";

/**
 * What a replica has applied only grows, holds nothing that was never committed, and is causally
 * closed at every step; hybrid time agrees with causality; all agree where a dead origin ends.
 */
export class CausalOrder {
  readonly #at: OracleContext;

  constructor(at: OracleContext) {
    this.#at = at;
  }

  /** Enters a commit into the history. */
  committed(node: SimNode, { update, past }: OwnCommit): void {
    const { ghosts, naming, time, broken } = this.#at;
    const { dot } = update;
    for (const last of past.entries()) {
      const hlc = ghosts.of(last)?.update.hlc ?? 0;
      if (update.hlc <= hlc) broken(`HLC ${formatDot(dot)} is not after ${formatDot(last)}`);
    }
    const isNew = ghosts.add({
      update,
      past,
      atMs: time.nowMs,
      node: node.index,
      isAcknowledged: false,
      isForgotten: false,
      // Whoever was removed and does not know it yet writes for nobody.
      isExcused: !naming.record.members.some(({ epoch }) => epoch === dot.epoch),
    });
    if (!isNew) broken(`DOT REUSED ${formatDot(dot)}`);
  }

  /** Looks at a replica's vector after a transaction. */
  stepped(node: SimNode, watched: WatchedReplica, { isInstalling, isApplying }: Step): void {
    const { vector } = watched.replica;
    const { applied } = watched;
    const where = `n${node.index}`;
    const isSame = vector.size === applied.size && listsAll(vector, applied);
    if (!isSame) this.#checkRetired(where, watched, isInstalling);
    if (isSame && !isApplying) return;
    for (const last of vector.entries()) {
      const origin = originNumber(last);
      const known = applied.get(origin)?.counter ?? 0;
      if (known === last.counter && applied.has(origin)) continue;
      if (known > last.counter) this.#at.broken(`BACK ${where} ${formatDot(last)} from ${known}`);
      this.#checkCovered(where, vector, last, known);
      applied.set(origin, last);
    }
  }

  /** All replicas agree on the last commit of an origin that they retire. */
  #checkRetired(where: string, { replica, applied }: WatchedReplica, isInstalling: boolean): void {
    const { ghosts, broken, happened } = this.#at;
    const { vector } = replica;
    for (const [origin, last] of applied) {
      if (vector.lists(last)) continue;
      applied.delete(origin);
      const final = ghosts.finalOf(last);
      if (final !== undefined && isInstalling) {
        this.#checkCovered(where, vector, { ...last, counter: final }, last.counter);
        continue;
      }
      if (final !== undefined && final !== last.counter) {
        broken(`RETIRED ${formatDot(last)} by ${where}, but it ends at ${final}`);
      }
      ghosts.retire(last);
      happened("origin.retired");
    }
  }

  /** Everything of an origin above `known` was committed, and after what is applied here too. */
  #checkCovered(where: string, vector: Vector, last: Dot, known: number): void {
    for (let counter = known + 1; counter <= last.counter; counter++) {
      const dot = { ...last, counter };
      const ghost = this.#at.ghosts.of(dot);
      if (!ghost) this.#at.broken(`INVENTED ${formatDot(dot)} at ${where}`);
      this.#checkPast(where, vector, ghost);
    }
  }

  #checkPast(where: string, vector: Vector, { update, past }: Ghost): void {
    const { ghosts, broken } = this.#at;
    for (const earlier of past.entries()) {
      if (earlier.counter === 0 || ghosts.covers(vector, earlier)) continue;
      const text = `${where} ${formatDot(update.dot)} without ${formatDot(earlier)}`;
      broken(`CAUSALITY ${text} at ${vectorText(vector)}`);
    }
  }
}

function listsAll(vector: Vector, applied: ReadonlyMap<number, Dot>): boolean {
  for (const last of applied.values()) if (!vector.lists(last)) return false;
  return true;
}
