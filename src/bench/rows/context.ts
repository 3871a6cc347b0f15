import type { Resources } from "../resources.js";
import type { Isolation, Measurement } from "../results.js";

/** What every row needs to measure itself. */
export interface RowContext {
  readonly resources: Resources;
  /** Those that this machine has. */
  readonly isolations: readonly Isolation[];
  /** URL of the ceiling. */
  readonly ceilingUrl: string;
  /** Short runs: the figures are rough. */
  readonly isQuick: boolean;
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
  /** Starts what `--profile` looks at. */
  readonly profiled?: (start: ProfileStart) => Promise<ProfiledWork>;
}

/** What a profile is made with. */
export interface ProfileStart {
  readonly resources: Resources;
  /** Flags of Node that let a process write its profile when it ends, under that name. */
  readonly profiler: (role: string) => readonly string[];
}

/** The work of a row, to be repeated while its processes are profiled. */
export interface ProfiledWork {
  readonly title: string;
  /** Of what {@link ProfiledWork.run} counts. */
  readonly unit: "call" | "update" | "item";
  readonly processes: readonly { readonly role: string; readonly pid: number }[];
  /** Works for about that long; resolves with how much was done. */
  run(durationS: number): Promise<{ readonly units: number; readonly perS: number }>;
  /** Ends the processes. */
  stop(): Promise<void>;
}
