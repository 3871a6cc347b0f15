/** How long the points of an experiment are measured: to try the code, in one sitting, as the paper did. */
export type Scale = "tiny" | "short" | "full";

/** One set of parameters of a figure, measured once. */
export interface Point {
  /** The figure it belongs to, as `--only` names it, such as `3` or `6`. */
  readonly figure: string;
  /** What tells it from the others of its figure: lower-case letters, digits and dashes. */
  readonly name: string;
  /** The how-manieth time this is, from 1; repeats of a point are pooled. */
  readonly repeat: number;
  /** All that is drawn by chance in it follows from this. */
  readonly seed: number;
  /** How long it is loaded, with the parts that are cut. */
  readonly loadS: number;
  /** How much of the beginning and of the end of the load the report leaves out, each. */
  readonly cutS: number;
  /** What else it was measured under, by name; units in the names. */
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
}

/** One request of a point, or one value of another kind that has a time. */
export interface Sample {
  /** What was timed, such as `call`, `write`, `read`, `staleness` or `floor`. */
  readonly series: string;
  /** When it was due (open load) or began (closed load), since the load began. */
  readonly atMs: number;
  /** From then until its end. */
  readonly valueMs: number;
  /** The HTTP status; 0 = no response. What is no 2xx is counted, and never a latency. */
  readonly status: number;
}

/** What a point gave. */
export interface Outcome {
  readonly samples: readonly Sample[];
  /** Values without a time, such as lost updates, by name. */
  readonly totals?: Readonly<Record<string, number>>;
}

/** A point with what it gave, as the report reads it. */
export interface Result extends Outcome {
  readonly point: Point;
  /** When it was measured, ISO 8601. */
  readonly measuredAt: string;
  /** Short hash of the commit that was measured. */
  readonly commit: string;
  /** How the links were made: `netem`, or `emulator` of this project. */
  readonly network: "netem" | "emulator";
}
