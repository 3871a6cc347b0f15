import type { Experiment } from "../experiment.js";
import { FIGURE_3 } from "./figure-3.js";
import { FIGURE_4 } from "./figure-4.js";

/** All that can be measured, in the order in which it is. */
export const FIGURES: readonly Experiment[] = [FIGURE_3, FIGURE_4];
