import type { Result } from "./point.js";

/** The thirds of a load in whose middle the nodes are cut off from each other. */
export const THIRDS = ["before", "during", "after"] as const;

/** The figure under which {@link thirdsOf} are found; they are no points of their own. */
export const THIRDS_FIGURE = "partition-thirds";

/** A result as three: what was due before the cut, during it and after it, told apart by the parameter `when`. */
export function thirdsOf(result: Result): Result[] {
  const { point, samples } = result;
  const loadS = point.loadS / THIRDS.length;
  return THIRDS.map((when, at) => {
    const name = `${point.name}-${when}`;
    const parameters = { ...point.parameters, when };
    return {
      ...result,
      point: { ...point, figure: THIRDS_FIGURE, name, loadS, cutS: 0, parameters },
      samples: samples
        .filter(({ atMs }) => Math.min(2, Math.floor(atMs / (loadS * 1000))) === at)
        .map((sample) => ({ ...sample, atMs: sample.atMs - at * loadS * 1000 })),
      totals: {},
    };
  });
}
