import type { NodeName } from "../../core/ids.js";
import type { CallEnd, CallOrder } from "./call-order.js";

/** Who runs a function, as far as is known here; this node is not among them. */
export interface RunningNodes {
  /** Those with a link to this node, the nearest first. */
  readonly linked: readonly NodeName[];
  /** Those without. */
  readonly away: readonly NodeName[];
}

/** Functions on other nodes. */
export interface OtherNodes {
  nodesOf(name: string): RunningNodes;
  /** Asks one node to run a call; never rejects. */
  call(to: NodeName, order: CallOrder, signal?: AbortSignal): Promise<CallEnd>;
}

/** Where there are no other nodes. */
export const NO_OTHER_NODES: OtherNodes = {
  nodesOf: () => ({ linked: [], away: [] }),
  call: () => Promise.reject(new Error("there is no other node")),
};
