import type { ResultSet } from "../results/result-set.js";

/** What our results say of a statement of the paper. */
export interface Finding {
  /** Our number, with its unit. */
  readonly ours: string;
  readonly holds: boolean;
  /** How it was decided, or where the difference comes from. */
  readonly why: string;
}

/** A sentence of the paper's result sections, or of the text below a figure. */
export interface Statement {
  /** Where it stands, such as `§4.1`, `Figure 4a`. */
  readonly place: string;
  /** What it says, in our words. */
  readonly says: string;
  /** The paper's number. */
  readonly paper: string;
  /** Where it is decided, if not by these experiments. */
  readonly elsewhere?: string;
  /** `undefined`: what it needs was not measured. */
  find(results: ResultSet): Finding | undefined;
}
