import type { SimNode } from "../cluster/node.js";
import type { OracleContext } from "./context.js";
import type { WatchedReplica } from "./watched-replica.js";

/**
 * How stale clients are told that a read may be is never less than it is and, while all are linked,
 * not much more.
 */
export class StalenessBound {
  readonly #at: OracleContext;

  constructor(at: OracleContext) {
    this.#at = at;
  }

  /** A client was told `boundMs`; at most `slackMs` more than the truth, if that is given. */
  told(node: SimNode, watched: WatchedReplica, boundMs: number, slackMs = Infinity): void {
    const { happened, broken } = this.#at;
    const trueMs = this.#stalenessMs(watched);
    happened(trueMs > 0 ? "staleness.some" : "staleness.none");
    const says = `STALENESS n${node.index} says ${boundMs} ms, but it is ${trueMs} ms`;
    if (boundMs < trueMs) broken(says);
    if (boundMs > trueMs + slackMs) broken(`${says}, of which at most ${slackMs} ms are forgiven`);
  }

  /** How long ago the earliest commit was made that is somewhere and not here. */
  #stalenessMs(watched: WatchedReplica): number {
    const { ghosts, time } = this.#at;
    const { timeline } = ghosts;
    const { vector } = watched.replica;
    for (; watched.firstMissing < timeline.length; watched.firstMissing++) {
      const ghost = timeline[watched.firstMissing];
      if (!ghost || ghost.isExcused || ghosts.covers(vector, ghost.update.dot)) continue;
      return time.nowMs - ghost.atMs;
    }
    return 0;
  }
}
