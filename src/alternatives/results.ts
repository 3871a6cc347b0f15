import type { Target } from "../bench/results.js";
import type { Spread } from "../bench/statistics.js";
import type { Load } from "../bench/wrk.js";
import type { Durability } from "./contender.js";
import type { SystemName } from "./systems.js";
import type { Work } from "./work.js";

/** What one contender did in all rounds of a piece of work. */
export interface Lane {
  readonly system: SystemName;
  readonly title: string;
  readonly durability: Durability;
  readonly isolation: string;
  /** One a round, in the order of the rounds. */
  readonly loads: readonly Load[];
}

/** All contenders at one piece of work. */
export interface WorkResult {
  readonly work: Work;
  readonly lanes: readonly Lane[];
}

/** How long writes of one round took to be seen at the other node, in ms. */
export interface LagRound {
  /** From the beginning of each write. */
  readonly startedMs: readonly number[];
  /** From its acknowledgement; below 0 where that came later. */
  readonly acknowledgedMs: readonly number[];
}

/** What one system took to show writes at its other node. */
export interface LagResult {
  readonly system: SystemName;
  readonly title: string;
  readonly rounds: readonly LagRound[];
}

/** Something of Enoki's beside the same of others, round by round. */
export interface Comparison {
  readonly title: string;
  /** With whom. */
  readonly against: string;
  /** Enoki's divided by the other's. */
  readonly value: Spread;
  /** Absent where it is only told. */
  readonly target?: Target;
  /** Why it counts for nothing. */
  readonly invalid?: string;
}

/** A contender that could not be measured. */
export interface Absence {
  readonly title: string;
  readonly reason: string;
  /** True where it was started and did not work; false where this machine lacks it. */
  readonly isFailure: boolean;
}

/** What an error says, with its cause: `fetch` keeps there what went wrong. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause === undefined ? message.trim() : `${message.trim()}: ${reasonOf(cause)}`;
}
