import type { Outcome, Point, Scale } from "./results/point.js";
import type { Resources } from "../bench/resources.js";

/** What the points of an experiment share. */
export interface Surroundings {
  /** Processes and folders; all are ended and removed after the last point, or after one that failed. */
  readonly resources: Resources;
  /** Tells a person what is happening, in one line. */
  readonly say: (line: string) => void;
}

/**
 * Measures one point, from an empty keygroup to its end, which leaves no data. `random`: a number in
 * [0, 1), from the seed of the point.
 */
export type Measure = (point: Point, random: () => number) => Promise<Outcome>;

/** One figure of the paper, or one beyond it, that can be measured. */
export interface Experiment {
  /** As `--only` names it, such as `3`. */
  readonly figure: string;
  /** In words, for people. */
  readonly title: string;
  /** About how many samples a second its points give: from it follows the expected use of disk. */
  readonly samplesPerS?: number;
  /** About how much data a second its points store at most; they lie on disk until the point ends. */
  readonly storedBytesPerS?: number;
  /**
   * About how long a point takes beyond its load, in seconds: to deploy and remove, to warm up, to ask the
   * floor, and until late answers are there. Without it, a few seconds.
   */
  readonly aroundS?: (point: Point) => number;
  /** What is measured at that scale, repeats included, in the order of measuring. */
  points(scale: Scale): readonly Point[];
  /**
   * Opens what its points share, such as nodes: starting them for each would take longer than most
   * points. After a point that failed it is opened anew.
   */
  open(surroundings: Surroundings): Promise<Measure>;
}
