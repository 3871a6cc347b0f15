import { createHash } from "node:crypto";

import type { View } from "../cluster/view.js";
import type { FunctionName, NodeName } from "../core/ids.js";

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
 * The nodes that run a function with its trigger now, as far as is known here: they are there, and
 * serve a revision that has it. As long as nothing was heard since this node began, its last view
 * counts as if all were there: so it makes the choice that the others make.
 */
export function nodesWithTrigger(
  view: View,
  name: FunctionName,
  hasTrigger: (revision: number) => boolean,
): NodeName[] {
  const isHeard = view.nodes().some(({ isPresent }) => isPresent);
  return view
    .functionProgress(name)
    .filter(({ isPresent, serving }) => (isPresent || !isHeard) && hasTrigger(serving))
    .map(({ node }) => node);
}
