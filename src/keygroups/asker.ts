import type { Session } from "../core/session.js";
import type { TraceContext } from "../core/trace-context.js";

/** What goes along with everything that a call sends. */
export interface SendOrigin {
  /** Calls and sends above the call. */
  readonly depth: number;
  /** Its headers, joined as a call carries them: they name its trace. */
  readonly headers: string;
}

/** The call on whose behalf operations are asked for, and who keeps what it has come to see. */
export interface Asker {
  /** 16 bytes of the invocation; `undefined` = there is none. */
  readonly idBytes: Uint8Array | undefined;
  /** What its client had seen, and what it has seen on other nodes; `undefined` = nothing. */
  readonly session: Session | undefined;
  /** The replica here does not show that yet, so operations go to one on another node that does. */
  readonly isElsewhere: boolean;
  /** For what it sends; `undefined` = it is not known here. */
  readonly origin?: SendOrigin | undefined;
  /** The span that its operations are parts of; `undefined` = they are not recorded. */
  readonly trace?: TraceContext | undefined;
  /** It has read something that is at most so stale. */
  noteRead(boundMs: number): void;
  /** A replica on another node has answered, and shows so much. */
  noteSeen(session: Session): void;
}
