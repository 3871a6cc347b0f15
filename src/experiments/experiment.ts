import type { Outcome, Point, Scale } from "./results/point.js";
import type { Resources } from "../bench/resources.js";

/** What the points of an experiment need around them. */
export interface Surroundings {
  /** Processes and folders; all are ended and removed after the point. */
  readonly resources: Resources;
  /** A number in [0, 1), from the seed of the point. */
  readonly random: () => number;
  /** Tells a person what is happening, in one line. */
  readonly say: (line: string) => void;
}

/** One figure of the paper, or one beyond it, that can be measured. */
export interface Experiment {
  /** As `--only` names it, such as `3`. */
  readonly figure: string;
  /** In words, for people. */
  readonly title: string;
  /** What is measured at that scale, repeats included, in the order of measuring. */
  points(scale: Scale): readonly Point[];
  /** Measures one point, from an empty keygroup to its end. */
  run(point: Point, surroundings: Surroundings): Promise<Outcome>;
}
