import type { Spread } from "./statistics.js";

/** How a function is kept apart from the rest of the machine. */
export type Isolation = "process" | "sandbox";

/** What a measured value must reach; from the project's targets. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** What a value counts. `×` = a ratio to something measured in the same round. */
export type Unit =
  | "× ceiling"
  | "× process"
  | "× node -e 0"
  | "× alone"
  | "× first half"
  | "× gateway"
  | "× kv.set"
  | "× no-op port"
  | "GB/s"
  | "MB"
  | "ms"
  | "updates/s"
  | "items/s";

/** One line of the table. */
export interface Measurement {
  /** The row it belongs to, as `--only` names it. */
  readonly row: string;
  readonly title: string;
  /** Absent where no function runs. */
  readonly isolation?: Isolation;
  readonly unit: Unit;
  readonly value: Spread;
  readonly target: Target;
  /** Why the value counts for nothing, such as failed requests. */
  readonly invalid?: string;
  /** The absolute figures behind the value, for people. */
  readonly note: string;
  /** The same for programs; times in the unit that the name ends with. */
  readonly figures: Readonly<Record<string, unknown>>;
}

/** What the median of a measurement says about its target. */
export type Verdict = "holds" | "misses" | "invalid";

/** Compares the median with the target. */
export function verdictOf({
  value,
  target,
  invalid,
}: Pick<Measurement, "value" | "target" | "invalid">): Verdict {
  if (invalid !== undefined || Number.isNaN(value.median)) return "invalid";
  const holds =
    "atLeast" in target ? value.median >= target.atLeast : value.median <= target.atMost;
  return holds ? "holds" : "misses";
}
