import { times } from "../numbers.js";
import type { TargetRow } from "./targets.js";

/** What `npm run peers -- --json FILE` says of one target. */
interface Comparison {
  readonly title: string;
  readonly against: string;
  readonly value: { readonly median: number };
  /** Absent where it is only told. */
  readonly target?: { readonly atLeast?: number; readonly atMost?: number };
  readonly verdict: "holds" | "misses" | "invalid";
}

/** The targets against other systems, from the JSON that `npm run peers` writes. @throws Error if it is none */
export function peersTargetsOf(json: string): TargetRow[] {
  const { comparisons } = JSON.parse(json) as { readonly comparisons?: readonly Comparison[] };
  if (!Array.isArray(comparisons)) throw new Error("it has no comparisons");
  return (comparisons as readonly Comparison[]).flatMap(
    ({ title, against, value, target, verdict }) => {
      if (target === undefined) return [];
      const bound = target.atLeast === undefined ? `≤ ${target.atMost} ×` : `≥ ${target.atLeast} ×`;
      const work = `${title}, against ${against}`;
      if (verdict === "invalid") return { work, target: bound };
      const reached = { ours: times(value.median), holds: verdict === "holds" };
      return { work, target: bound, reached };
    },
  );
}
