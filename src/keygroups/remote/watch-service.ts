import { ChannelError, FRAME, FrameWriter } from "../../channel/frames.js";
import { EnokiError } from "../../core/errors.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { Keygroup } from "../keygroup.js";
import { KeygroupOperations } from "../operation-server.js";
import { repeat } from "../repeat.js";
import { FrameQueue } from "./frame-queue.js";

/** A silent watch says so often that it is there. */
export const WATCH_BEAT_MS = 5000;

/** A watch that a function on another node asks for. */
export interface WatchRequest {
  readonly keygroup: Keygroup;
  /** Payload of the OPERATION frame. */
  readonly payload: Buffer;
  /** Nobody reads any more. */
  readonly signal: AbortSignal;
  /** False once the replica here is not to be read any more. */
  readonly isServed: () => boolean;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Of all frames: each watch has a stream of its own. */
const WATCH_ID = 1;

/**
 * The frames that an instance here would get for its watch: the reply, then an event for each change,
 * with a PING now and then.
 */
export async function* watchFrames(request: WatchRequest): AsyncGenerator<Uint8Array> {
  const { keygroup, payload, signal, isServed, timers, logger } = request;
  const queue = new FrameQueue();
  const writer = new FrameWriter(queue, { schedule: (flush) => flush() });
  const operations = new KeygroupOperations(keygroup, logger);
  const stop = repeat(timers, WATCH_BEAT_MS, () => {
    if (isServed()) writer.frame(FRAME.ping, 0);
    else queue.wake();
  });
  const wake = (): void => queue.wake();
  signal.addEventListener("abort", wake);
  try {
    serve(() => operations.serve(writer, WATCH_ID, undefined, payload));
    while (!signal.aborted && isServed()) {
      await queue.filled();
      yield* queue.take();
    }
    if (!signal.aborted) {
      const what = `keygroup "${keygroup.name}" is not served there any more`;
      throw new EnokiError("ENOKI_PEER_UNREACHABLE", what);
    }
  } finally {
    signal.removeEventListener("abort", wake);
    stop();
    operations.close();
  }
}

function serve(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw error instanceof ChannelError ? new EnokiError("ENOKI_PROTOCOL", error.message) : error;
  }
}
