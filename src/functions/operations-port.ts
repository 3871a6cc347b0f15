import type { FrameWriter } from "../channel/frames.js";
import type { NodeName } from "../core/ids.js";
import type { Asker } from "../keygroups/asker.js";
import type { SentSet } from "../keygroups/sent-set.js";

/**
 * Serves the OPERATION frames of one instance from the keygroup that belongs to its function.
 * The channel decides the keygroup: nothing in a payload can name another one.
 */
export interface OperationServer {
  /**
   * Answers the operation `id` on `writer`, now or at the end of the turn.
   *
   * @param asker the call that asks; `undefined` outside one
   * @throws ChannelError when the payload does not parse: the instance is to be ended
   */
  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void;
  /**
   * Sends a plain `set` to the node where the data are, once and without waiting; absent or `undefined`
   * = they are not elsewhere now, or not at `behind`: it is to be served like any other operation.
   */
  sendSet?(asker: Asker, payload: Buffer, behind: NodeName | undefined): SentSet | undefined;
  /** The instance is gone: its watches end and its pending answers are dropped. */
  close(): void;
}
