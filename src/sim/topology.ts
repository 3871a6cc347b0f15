/** Who has a link to whom: all to all, all to the first, each to the next. */
export const LINK_SHAPES = ["mesh", "hub", "chain"] as const;

/** One of {@link LINK_SHAPES}. */
export type LinkShape = (typeof LINK_SHAPES)[number];

/** Whether two nodes, by their numbers, have a link. */
export function areLinked(shape: LinkShape, left: number, right: number): boolean {
  if (shape === "hub") return left === 0 || right === 0;
  return shape === "mesh" || Math.abs(left - right) === 1;
}

/** Links on the way from `from` to the farthest of `nodes`, by way of these; Infinity = no way. */
export function farthest(shape: LinkShape, from: number, nodes: readonly number[]): number {
  const left = new Set(nodes);
  let reached = [from];
  left.delete(from);
  for (let links = 0; ; links++) {
    if (left.size === 0) return links;
    if (reached.length === 0) return Infinity;
    reached = [...left].filter((node) => reached.some((one) => areLinked(shape, one, node)));
    for (const node of reached) left.delete(node);
  }
}
