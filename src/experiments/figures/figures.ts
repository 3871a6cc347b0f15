import type { Experiment } from "../experiment.js";
import { EDGES } from "./beyond/edges.js";
import { LOST_UPDATES } from "./beyond/lost-updates.js";
import { PARTITION } from "./beyond/partition.js";
import { FIGURE_3 } from "./figure-3.js";
import { FIGURE_4 } from "./figure-4.js";
import { FIGURE_6 } from "./figure-6.js";
import { FIGURE_8 } from "./figure-8.js";

/** All that can be measured, in the order in which it is. */
export const FIGURES: readonly Experiment[] = [
  FIGURE_3,
  FIGURE_4,
  FIGURE_6,
  FIGURE_8,
  PARTITION,
  LOST_UPDATES,
  EDGES,
];
