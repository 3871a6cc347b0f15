import { formatDot, compareOrigins, type Origin } from "../../core/dot.js";
import { readState } from "../../core/meta.js";
import type { Replica } from "../../core/replica.js";
import { Vector } from "../../core/vector.js";
import type { SimNode } from "../cluster/node.js";
import type { Rows } from "../cluster/rows.js";
import type { OracleContext } from "./context.js";
import type { Ghost } from "./ghost-log.js";

/** What a client was told of a write: nothing yet, or that nobody knows, is `undefined`. */
type Told = "done" | "refused";

/**
 * What clients are told of their writes is so. What was acknowledged is kept at that moment and not lost
 * while anything that had it is left; what was refused never takes place; nothing takes place twice.
 */
export class WriteOutcomes {
  readonly #at: OracleContext;
  /** Writers by what they were told. */
  readonly #told = new Map<string, Told>();
  readonly #done = new Set<string>();

  constructor(at: OracleContext) {
    this.#at = at;
  }

  /** A commit was made. */
  committed({ update }: Pick<Ghost, "update">): void {
    if (!update.invocation) return;
    const writer = update.invocation.join();
    const { broken } = this.#at;
    if (this.#done.has(writer)) broken(`TWICE ${formatDot(update.dot)} was written before`);
    if (this.#told.get(writer) === "refused")
      broken(`REFUSED ${formatDot(update.dot)} takes place`);
    this.#done.add(writer);
  }

  /**
   * A client was told that its write is done. `isSure`: it must have made a commit. `by`: the node that
   * tells it of its own replica.
   */
  acknowledged(writer: Uint8Array, isSure: boolean, by?: SimNode): Ghost | undefined {
    const { ghosts, naming, plan, broken } = this.#at;
    this.#told.set(writer.join(), "done");
    const ghost = ghosts.ofWriter(writer);
    if (!ghost && isSure) broken("ACKNOWLEDGED a write that was never made");
    if (!ghost) return undefined;
    const { dot } = ghost.update;
    if (ghost.isForgotten) broken(`ACKNOWLEDGED ${formatDot(dot)}, which is gone`);
    ghost.isAcknowledged = true;
    const { members } = naming.record;
    if (!members.some(({ epoch }) => epoch === dot.epoch)) ghost.isExcused = true;
    if (by) {
      const kept = storedVector(
        plan.config.durability === "strict" ? by.disk.synced : by.disk.rows,
      );
      if (!kept.covers(dot)) broken(`ACKNOWLEDGED ${formatDot(dot)} before it was kept`);
    }
    return ghost;
  }

  /** A client was told that its write did not take place, and never will. */
  refused(writer: Uint8Array): void {
    const { ghosts, broken } = this.#at;
    const ghost = ghosts.ofWriter(writer);
    if (ghost && !ghost.isForgotten) {
      broken(`REFUSED ${formatDot(ghost.update.dot)}, which has taken place`);
    }
    this.#told.set(writer.join(), "refused");
  }

  /** Something that was kept is gone: whatever nobody else has may be missing from now on. */
  reassess(): void {
    const { ghosts, naming, nodes, happened } = this.#at;
    const kept: Vector[] = [];
    for (const node of nodes) {
      const member = naming.memberOf(node.name);
      const isItsStore = member !== undefined && node.storedMember === member;
      if (isItsStore) kept.push(readState(node.disk.rows).vector);
    }
    for (const ghost of ghosts.timeline) {
      if (ghost.isExcused) continue;
      if (kept.some((vector) => ghosts.covers(vector, ghost.update.dot))) continue;
      ghost.isExcused = true;
      happened("write.excused");
    }
  }

  /**
   * A node under `strict` has lost its power: what it had not synced is gone, was acknowledged to
   * nobody and shown to no other member. Returns it.
   */
  unsynced(
    node: SimNode,
    origin: Origin,
    others: readonly (readonly [SimNode, Replica])[],
  ): Ghost[] {
    const { ghosts, happened, broken } = this.#at;
    const kept = storedVector(node.disk.rows);
    const gone: Ghost[] = [];
    for (const ghost of ghosts.timeline) {
      const { dot } = ghost.update;
      if (ghost.isForgotten || compareOrigins(dot, origin) !== 0 || kept.covers(dot)) continue;
      const name = formatDot(dot);
      if (ghost.isAcknowledged) broken(`LOST ${name}, acknowledged as strict`);
      for (const [other, { vector }] of others) {
        if (vector.covers(dot)) broken(`SHOWN ${name} to n${other.index} before it was synced`);
      }
      ghosts.forget(ghost);
      gone.push(ghost);
      happened("write.unsynced");
    }
    return gone;
  }

  /** Everything that was acknowledged and not excused is at that member, now that all is quiet. */
  checkKept(node: SimNode, { vector }: Replica): void {
    const { ghosts, broken } = this.#at;
    for (const ghost of ghosts.timeline) {
      if (!ghost.isAcknowledged || ghost.isExcused) continue;
      const { dot } = ghost.update;
      if (!ghosts.covers(vector, dot)) broken(`LOST ${formatDot(dot)} at n${node.index}`);
    }
  }
}

/** What a store says that its replica has applied. */
export function storedVector(rows: Rows): Vector {
  return rows.size === 0 ? new Vector() : readState(rows).vector;
}
