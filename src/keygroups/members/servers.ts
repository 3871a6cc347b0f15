import { type KeygroupRecord, memberOn } from "../../cluster/records.js";
import type { NodeName } from "../../core/ids.js";

/** The one node on which the data are to lie, once it is a member. */
export function destinationOf(record: KeygroupRecord | undefined): NodeName | undefined {
  if (record?.placement.kind !== "at") return undefined;
  const { node } = record.placement;
  return memberOn(record, node) && node;
}

/**
 * Members on other nodes, the best to be asked first: by rank, then the nearest. The node that
 * the data move to is the last: where they were, they are all.
 */
export function serversOf(
  record: KeygroupRecord,
  self: NodeName,
  {
    rankOf,
    awayMsOf,
  }: {
    readonly rankOf: (node: NodeName) => number;
    readonly awayMsOf: (node: NodeName) => number;
  },
): NodeName[] {
  const destination = destinationOf(record);
  return record.members
    .map(({ node }) => node)
    .filter((node) => node !== self)
    .map((node) => ({
      node,
      isLast: node === destination,
      rank: rankOf(node),
      awayMs: awayMsOf(node),
    }))
    .sort(
      (a, b) =>
        Number(a.isLast) - Number(b.isLast) || b.rank - a.rank || (a.awayMs < b.awayMs ? -1 : 1),
    )
    .map(({ node }) => node);
}
