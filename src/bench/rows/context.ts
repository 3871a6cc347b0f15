import type { Resources } from "../resources.js";
import type { Isolation, Measurement } from "../results.js";

/** What every row needs to measure itself. */
export interface RowContext {
  readonly resources: Resources;
  /** Those that this machine has. */
  readonly isolations: readonly Isolation[];
  /** URL of the ceiling. */
  readonly ceilingUrl: string;
  readonly rounds: number;
  readonly runS: number;
  /** Load before the first round, so that no run pays for compiling. */
  readonly warmUpS: number;
  readonly coldStarts: number;
  /** Says what is being done. */
  readonly progress: (text: string) => void;
}

/** One row of the bench; it may measure several things. */
export interface Row {
  readonly name: string;
  /** Left out of quick runs unless asked for by name. */
  readonly isSlow: boolean;
  readonly measure: (context: RowContext) => Promise<Measurement[]>;
}
