import type { FrameWriter } from "../channel/frames.js";
import type { Asker } from "../keygroups/asker.js";

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
  /** The instance is gone: its watches end and its pending answers are dropped. */
  close(): void;
}
