import { createHash } from "node:crypto";

import type { View } from "../cluster/view.js";
import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";

/**
 * The one of `nodes` that fires a trigger for all: the same for everybody who knows the same nodes. A
 * node that comes or goes moves no trigger but those that it gets or had. `undefined`: there is none.
 */
export function chosenNode(trigger: string, nodes: Iterable<NodeName>): NodeName | undefined {
  let chosen: NodeName | undefined;
  let greatest = "";
  for (const node of nodes) {
    const weight = createHash("sha256").update(`${node}\0${trigger}`).digest("hex");
    if (weight <= greatest) continue;
    greatest = weight;
    chosen = node;
  }
  return chosen;
}

/**
 * The nodes that may fire a function's triggers now, as far as is known here: they are there, run it, and
 * have its data, where calls wait; if none has them, those that run it. As long as nothing was heard
 * since this node began, its last view counts as if all were there: so it chooses as the others do.
 */
export function firingNodes(view: View, name: FunctionName): NodeName[] {
  const isHeard = view.nodes().some(({ isPresent }) => isPresent);
  const running = view
    .functionProgress(name)
    .filter(({ isPresent, serving }) => serving > 0 && (isPresent || !isHeard))
    .map(({ node }) => node);
  const members = view.keygroup(name as string as KeygroupName)?.members ?? [];
  const withData = running.filter((node) => members.some((member) => member.node === node));
  return withData.length > 0 ? withData : running;
}
