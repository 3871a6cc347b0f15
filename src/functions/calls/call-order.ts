import type { EnokiError } from "../../core/errors.js";
import type { InvocationId } from "../../core/ids.js";
import type { Session } from "../../core/session.js";
import type { CallRequest, CallResponse } from "../call.js";

/** A call that one function makes of another, wherever that runs. */
export interface CallOrder {
  /** The same on every node on which it is tried. */
  readonly id: InvocationId;
  /** Name of the function that is called. */
  readonly function: string;
  readonly request: CallRequest;
  /** Longest wait; `undefined` = as long as the function may take. */
  readonly timeoutMs: number | undefined;
  /** Calls above it: 1 for what a call from outside calls. */
  readonly depth: number;
  /** What the caller has seen; `undefined` = nothing that needs remembering. */
  readonly session: Session | undefined;
  /** An outbox delivers it, which does so again as long as it does not know of its end. */
  readonly isQueued: boolean;
}

/** How a call ended. */
export interface CallEnd {
  readonly outcome: CallResponse | EnokiError;
  /** False: it has certainly not begun anywhere, so another node may be asked. */
  readonly isStarted: boolean;
  /** What the caller has seen with the answer. */
  readonly session: Session | undefined;
  /** A bound of the staleness of what was read for it; `undefined` = nothing was read. */
  readonly stalenessMs: number | undefined;
}

/** The end of a call that has not begun. */
export function notBegun(error: EnokiError): CallEnd {
  return { outcome: error, isStarted: false, session: undefined, stalenessMs: undefined };
}
