import type { FrameWriter } from "../../channel/frames.js";
import type { Call } from "../call.js";

/** Serves what one instance asks of other functions: `call` and `send`. */
export interface CallServer {
  /**
   * Answers the operation `id` on `writer` once there is an answer.
   *
   * @param caller the call on whose behalf it asks; `undefined` outside one
   * @throws ChannelError when the payload does not parse: the instance is to be ended
   */
  serve(writer: FrameWriter, id: number, caller: Call | undefined, payload: Buffer): void;
  /** The instance is gone: what it waits for is given up where it has not begun. */
  close(): void;
}
