import type { Acknowledgements } from "./acknowledgements.js";
import type { Dot } from "./dot.js";
import type { RowWrite } from "./rows.js";
import type { ReplicaState } from "./state.js";
import type { Vector } from "./vector.js";

/**
 * Takes dead origins out of the vector: those whose member is gone or lists a later restart, once
 * this replica and every member have shown the same last commit of them on stable storage, and with
 * it that they take no more. The earlier restarts of a member go first, for a vector that lists only
 * the earlier of two would be read as if it did not know the later.
 */
export function retireOrigins(state: ReplicaState, acknowledgements: Acknowledgements): RowWrite[] {
  const { identity, record, vector } = state;
  if (!identity.isServing || !state.isMember) return [];
  const dead = vector.entries().filter((last) => state.isDead(last, vector));
  if (dead.length === 0) return [];
  const counted = acknowledgements.counted(identity.epoch, record, vector);
  if (!counted) return [];
  const retired: Dot[] = [];
  const blocked = new Set<number>();
  for (const last of dead) {
    if (!blocked.has(last.epoch) && counted.every((known) => isLast(state, last, known))) {
      retired.push(last);
    } else {
      blocked.add(last.epoch);
    }
  }
  return retired.length > 0 ? state.retire(retired) : [];
}

/** True if `known` shows that commit as the last of its origin that its owner will ever apply. */
function isLast(state: ReplicaState, last: Dot, known: Vector): boolean {
  if (!state.isDead(last, known)) return false;
  return known.lists(last) ? known.get(last) === last.counter : known.hasRetired(last);
}
