import type { Acknowledgements } from "./acknowledgements.js";
import type { Dot } from "./dot.js";
import type { SessionEntry } from "./session.js";
import type { ReplicaState } from "./state.js";

/**
 * Whether a replica shows what a session has seen: `ok`, `wait` (not yet, or another replica does),
 * or `lost`: no member has it, and none ever will.
 */
export type SessionCheck = "ok" | "wait" | "lost";

/** What a client that sees this replica now has seen of its keygroup. */
export function sessionEntryOf(
  { identity, record, vector }: ReplicaState,
  acknowledgements: Acknowledgements,
): SessionEntry {
  const stable = acknowledgements.stableVector(identity.epoch, record, vector);
  const seen = vector.entries().filter((last) => last.counter > stable.get(last));
  return { generation: identity.generation, epoch: record.epoch, seen };
}

/** Compares a session with what a replica has applied. */
export function checkSession(
  state: ReplicaState,
  acknowledgements: Acknowledgements,
  { generation, epoch, seen }: SessionEntry,
): SessionCheck {
  const { identity, record } = state;
  if (generation !== identity.generation) return generation < identity.generation ? "lost" : "wait";
  if (!identity.isServing || record.epoch < epoch) return "wait";
  let result: SessionCheck = "ok";
  for (const dot of seen) {
    const check = checkDot(state, acknowledgements, dot);
    if (check === "lost") return check;
    if (check === "wait") result = check;
  }
  return result;
}

function checkDot(state: ReplicaState, acknowledgements: Acknowledgements, dot: Dot): SessionCheck {
  const { identity, record, vector, finals } = state;
  if (dot.counter <= vector.get(dot)) return "ok";
  // An origin that was retired unseen has left nothing; one that is forgotten must not pass for seen.
  if (vector.hasRetired(dot)) return dot.counter <= finals.get(dot) ? "ok" : "lost";
  if (!vector.lists(dot) || !state.isDead(dot, vector)) return "wait";
  const counted = acknowledgements.counted(identity.epoch, record, vector);
  const isLost = counted?.every(
    (known) => state.isDead(dot, known) && known.reach(dot) < dot.counter,
  );
  return isLost ? "lost" : "wait";
}
