import type { Acknowledgements } from "./acknowledgements.js";
import type { RelayedStanding, Standing } from "./standing.js";
import type { ReplicaState } from "./state.js";

/** What a member tells every other one from time to time. */
export interface Heartbeat {
  /** Where the sender stands. */
  readonly standing: Standing;
  readonly hlc: number;
  /** When it was made, on the sender's own monotonic clock; the receiver only echoes it. */
  readonly stamp: number;
  /** The latest stamp of the receiver that had come before; `undefined` = none. */
  readonly echo: number | undefined;
  /** Members to whom the sender has no link: it wants to be told of them. In their order. */
  readonly wants: readonly number[];
  /** What the receiver wanted to be told. */
  readonly relayed: readonly RelayedStanding[];
}

/** What came of what a member says. */
export type StandingOutcome =
  /** It is no member of the record that this replica acts under, or not yet. */
  | { readonly type: "ignored" }
  /** It claims what cannot be; nothing of it was taken over. `problem` says what. */
  | { readonly type: "rejected"; readonly problem: string }
  | {
      readonly type: "noted";
      /** It has applied what this replica has not. */
      readonly isAhead: boolean;
      /** It has applied all that this replica has. */
      readonly coversThis: boolean;
      /** It would answer a catch-up request: it serves, and knows of this member. */
      readonly canServe: boolean;
      /** It acts under a later record than this replica. */
      readonly hasLaterRecord: boolean;
    };

/** Where this replica stands. */
export function standingOf(
  { identity, record, vector }: ReplicaState,
  acknowledgements: Acknowledgements,
): Standing {
  const { epoch: member, restart, isServing } = identity;
  const [applied, durable] = [vector.clone(), acknowledgements.durableVector.clone()];
  return { epoch: record.epoch, member, restart, isServing, applied, durable };
}

/** Takes where the member `from` stands, as it says itself or someone says of it. */
export function noteStanding(
  state: ReplicaState,
  acknowledgements: Acknowledgements,
  from: number,
  standing: Standing,
): StandingOutcome {
  const { epoch, isServing, applied, durable } = standing;
  const { identity, record, vector } = state;
  if (!record.members.includes(from) || from === identity.epoch) return { type: "ignored" };
  const problem = problemOf(state, from, standing);
  if (problem !== undefined) return { type: "rejected", problem };
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

function problemOf(state: ReplicaState, from: number, standing: Standing): string | undefined {
  const { member, restart, isServing, applied, durable } = standing;
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
