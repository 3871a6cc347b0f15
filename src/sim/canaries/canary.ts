import type { FaultyParts } from "../cluster/node-parts.js";
import type { PlanOverrides } from "../plan.js";

/** A part that is wrong on purpose: the simulator is worth nothing unless it finds it. */
export interface Canary {
  readonly name: string;
  /** What is wrong. */
  readonly is: string;
  /** How the oracle that finds it begins its report. */
  readonly findsIt: RegExp;
  readonly faulty: FaultyParts;
  /** Where it shows. */
  readonly plan: PlanOverrides;
}
