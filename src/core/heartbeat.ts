import type { Acknowledgements } from "./acknowledgements.js";
import type { ReplicaState } from "./state.js";
import type { Vector } from "./vector.js";

/** What a member tells every other one from time to time. */
export interface Heartbeat {
  /** The record that the sender acts under. */
  readonly epoch: number;
  /** The sender: the epoch at which it joined, and its restart. */
  readonly member: number;
  readonly restart: number;
  /** False while it joins: it acknowledges nothing and serves no catch-up. */
  readonly isServing: boolean;
  /** What it has applied. */
  readonly applied: Vector;
  /** What it has on stable storage. */
  readonly durable: Vector;
  readonly hlc: number;
  /** When it was made, on the sender's own monotonic clock; the receiver only echoes it. */
  readonly stamp: number;
  /** The latest stamp of the receiver that had come before `applied` was read; `undefined` = none. */
  readonly echo: number | undefined;
}

/** What a heartbeat came to. */
export type HeartbeatOutcome =
  /** The sender is no member of the record that this replica acts under, or not yet. */
  | { readonly type: "ignored" }
  /** It claims what cannot be; nothing of it was taken over. `problem` says what. */
  | { readonly type: "rejected"; readonly problem: string }
  | {
      readonly type: "noted";
      /** The sender has applied what this replica has not. */
      readonly isAhead: boolean;
      /** The sender has applied all that this replica has. */
      readonly coversThis: boolean;
      /** The sender would answer a catch-up request: it serves, and knows of this member. */
      readonly canServe: boolean;
      /** The sender acts under a later record than this replica. */
      readonly hasLaterRecord: boolean;
    };

/** What a member says of itself; the host adds the stamps of its clocks. */
export function heartbeatOf(
  { identity, record, vector, hlc }: ReplicaState,
  acknowledgements: Acknowledgements,
  exchange: Pick<Heartbeat, "stamp" | "echo">,
): Heartbeat {
  const { epoch: member, restart, isServing } = identity;
  const [applied, durable] = [vector.clone(), acknowledgements.durableVector.clone()];
  return { epoch: record.epoch, member, restart, isServing, applied, durable, hlc, ...exchange };
}

/** Takes what the member `from` says of itself. */
export function noteHeartbeat(
  state: ReplicaState,
  acknowledgements: Acknowledgements,
  from: number,
  heartbeat: Heartbeat,
): HeartbeatOutcome {
  const { epoch, isServing, applied, durable, hlc } = heartbeat;
  const { identity, record, vector } = state;
  if (!record.members.includes(from) || from === identity.epoch) return { type: "ignored" };
  const problem = problemOf(state, from, heartbeat);
  if (problem !== undefined) return { type: "rejected", problem };
  state.observe(hlc);
  if (isServing && identity.isServing) state.listRestarts(from, applied);
  if (isServing) {
    if (epoch === record.epoch) acknowledgements.note(from, durable, vector);
    else acknowledgements.proven.join(durable);
  }
  return {
    type: "noted",
    isAhead: !vector.includes(applied),
    coversThis: applied.includes(vector),
    canServe: isServing && epoch >= identity.epoch,
    hasLaterRecord: epoch > record.epoch,
  };
}

function problemOf(state: ReplicaState, from: number, heartbeat: Heartbeat): string | undefined {
  const { member, restart, isServing, applied, durable } = heartbeat;
  if (member !== from) return `member ${from} speaks for member ${member}`;
  if (isServing && !applied.lists({ epoch: member, restart })) {
    return `member ${from} does not know its own origin`;
  }
  if (applied.hasLaterRestart({ epoch: member, restart })) {
    return `member ${from} knows later restarts of itself than the present one`;
  }
  if (!applied.includes(durable)) return `member ${from} has stored more than it has applied`;
  if (state.isClaimedBeyond(applied)) {
    return `member ${from} knows commits of this replica that it never made`;
  }
  if (state.isWrittenOff(applied) || state.isWrittenOff(durable)) {
    return `member ${from} takes a member for gone that is not`;
  }
  return undefined;
}
