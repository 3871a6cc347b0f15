import { compareOrigins, formatDot } from "../../core/dot.js";
import type { Version } from "../../core/item.js";
import { isShadowed } from "../../core/live-set.js";
import { TAG } from "../../core/value.js";
import type { Network } from "../cluster/network.js";
import type { SimNode } from "../cluster/node.js";
import type { OracleContext } from "./context.js";

/**
 * Nothing grows with what is written: a key has at most one value per origin, and what waits for a peer
 * is no more than a link takes. (That deletes and expired values go in the end is for `Equality` to see.)
 */
export class Bounds {
  readonly #at: OracleContext;
  readonly #network: Network;

  constructor(at: OracleContext, network: Network) {
    this.#at = at;
    this.#network = network;
  }

  /**
   * Looks at the versions that a replica keeps of a key. What only waits to be collected, or will be
   * when it expires, is left out: its origin may have done so, and does not name it any more when it
   * writes again.
   */
  versions(node: SimNode, live: readonly Version[]): void {
    const values = live.filter(
      (version) =>
        version.value.tag !== TAG.tombstone &&
        version.expiresAtMs === 0 &&
        !isShadowed(live, version),
    );
    for (let at = 1; at < values.length; at++) {
      const [earlier, later] = [values[at - 1] as Version, values[at] as Version];
      if (compareOrigins(earlier.dot, later.dot) !== 0) continue;
      const text = `n${node.index} keeps ${formatDot(earlier.dot)} beside ${formatDot(later.dot)}`;
      this.#at.broken(`UNBOUNDED ${text} of one key`);
    }
  }

  /** Looks at what waits for each peer of a node. */
  outboxes(node: SimNode): void {
    const bytesMax = Math.max(this.#at.plan.network.backlogBytesMax, this.#network.largestBytes);
    for (const peer of this.#at.nodes) {
      const waitsBytes = peer === node ? 0 : node.outboxBytes(peer.name);
      if (waitsBytes <= bytesMax) continue;
      const text = `n${node.index} keeps ${waitsBytes} bytes for n${peer.index}`;
      this.#at.broken(`UNBOUNDED ${text}, above ${bytesMax}`);
    }
  }
}
