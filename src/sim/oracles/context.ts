import type { VirtualTime } from "../cluster/virtual-time.js";
import type { SimNaming } from "../cluster/naming.js";
import type { SimNode } from "../cluster/node.js";
import type { Plan } from "../plan.js";
import type { GhostLog } from "./ghost-log.js";

/** A promise that was broken: the run ends. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What all oracles look at. */
export interface OracleContext {
  readonly plan: Plan;
  readonly time: VirtualTime;
  readonly naming: SimNaming;
  readonly nodes: readonly SimNode[];
  /** Every key that clients use. */
  readonly keys: readonly Uint8Array[];
  readonly ghosts: GhostLog;
  /** Counts something that happened. */
  readonly happened: (what: string) => void;
  /** Ends the run: `what` begins with the name of the oracle. */
  readonly broken: (what: string) => never;
}
