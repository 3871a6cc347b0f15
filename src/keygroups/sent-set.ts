import type { NodeName } from "../core/ids.js";

/** A plain `set` that is on its way to the node that has the data; it was sent once. */
export interface SentSet {
  readonly to: NodeName;
  /**
   * Resolves with true once it is stored there, and with false if that has certainly not happened, so
   * that it may be sent again. Rejects with an EnokiError if it was refused, or nobody knows.
   */
  readonly stored: Promise<boolean>;
}
