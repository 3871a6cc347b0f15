import { EnokiError } from "../../core/errors.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { FunctionHost } from "../function-host.js";
import type { FunctionSessions } from "../sessions.js";
import {
  CALL_METHOD,
  decodeCallMessage,
  encodeCallAnswer,
  type CallMessage,
} from "./call-message.js";
import { type CallEnd, type CallOrder, notBegun } from "./call-order.js";
import type { LocalCalls } from "./local-calls.js";

/** What answers calls of other nodes. */
export interface CallServiceOptions {
  readonly requests: Pick<PeerRequests, "serve">;
  readonly find: (name: string) => FunctionHost | undefined;
  readonly local: LocalCalls;
  /** Runs what an outbox delivers. */
  readonly received: { run(host: FunctionHost, order: CallOrder): Promise<CallEnd> };
  readonly sessions: FunctionSessions;
  /** True while nothing new is to be begun. */
  readonly isDraining: () => boolean;
}

/**
 * Runs calls that functions on other nodes make of functions here. What is refused before the
 * function runs is told as such, so that the caller may ask another node.
 */
export function serveCalls(options: CallServiceOptions): void {
  const { requests, find, local, received, sessions, isDraining } = options;
  requests.serve(CALL_METHOD, async (peerRequest) => {
    const message = decodeCallMessage(peerRequest.body);
    const host = find(message.function);
    if (isDraining()) throw new EnokiError("ENOKI_DRAINING");
    if (!host) {
      const detail = `"${message.function.slice(0, 63)}" does not run here`;
      throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", detail);
    }
    const order = orderOf(message, sessions);
    const end = order.isQueued
      ? await received.run(host, order)
      : await local.run(host, order, peerRequest.signal);
    return answerOf(host, order, end, sessions);
  });
}

function orderOf({ session, ...message }: CallMessage, sessions: FunctionSessions): CallOrder {
  return { ...message, session: session === "" ? undefined : sessions.read(session) };
}

function answerOf(
  { name }: FunctionHost,
  { isQueued }: CallOrder,
  end: CallEnd,
  sessions: FunctionSessions,
): Uint8Array {
  const { session } = end;
  try {
    const token = session === undefined ? "" : sessions.write(name, session);
    return encodeCallAnswer({ ...end, session: token });
  } catch (error) {
    if (!(error instanceof EnokiError)) throw error;
    // Nobody waits for the session of what was sent, and its stored end is the one to tell.
    if (isQueued) return encodeCallAnswer({ ...end, session: "" });
    return encodeCallAnswer({ ...notBegun(error), isStarted: end.isStarted, session: "" });
  }
}
