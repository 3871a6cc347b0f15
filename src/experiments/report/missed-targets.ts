import { ms, percent } from "../numbers.js";
import { processorUseOf } from "../results/processor-use.js";
import { heading, NOTHING, text, type Block } from "./blocks.js";
import { orNothing } from "./cells.js";
import type { TargetRow } from "./targets.js";

/** For each target that is missed by a time: what it is made of. Nothing if none is. */
export function missedTargets(targets: readonly TargetRow[]): Block[] {
  const missed = targets.flatMap(({ work, reached }) =>
    reached?.split !== undefined && !reached.holds ? [{ work, split: reached.split }] : [],
  );
  if (missed.length === 0) return [];
  return [
    heading(3, "Where the time of missed targets goes"),
    text(
      "Medians as measured; the floor is a bare echo over the same links with as many trips between nodes. Processor time is that of all nodes, instances and clients, " +
        "by the number of requests: at few requests a second most of it is what nodes do between them, so it is more than what is in the way of a request. " +
        "What is beyond the floor and longer than all of that together can only be waiting: for others at the same data, for links, or for a processor.",
    ),
    {
      kind: "table",
      head: [
        "work",
        "measured",
        "floor",
        "beyond",
        "trips between nodes",
        "nodes",
        "functions",
        "clients",
        "waiting, at least",
        "processors in use",
      ],
      rows: missed.map(({ work, split }) => {
        const { measuredMs, floorMs, trips, point } = split;
        const use = processorUseOf(point);
        const each = use?.perRequestMs;
        const usedMs = each && each.node + each.functions + each.clients;
        const beyondMs = measuredMs - (floorMs ?? 0);
        const isWaiting = usedMs !== undefined && beyondMs > usedMs;
        return [
          work,
          ms(measuredMs),
          orNothing(floorMs, ms),
          ms(beyondMs),
          String(trips),
          orNothing(each?.node, ms),
          orNothing(each?.functions, ms),
          orNothing(each?.clients, ms),
          isWaiting ? ms(beyondMs - usedMs) : NOTHING,
          orNothing(use?.busyShare, percent),
        ];
      }),
    },
  ];
}
