import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import type { Session, SessionEntry } from "../core/session.js";
import type { Freshness } from "../keygroups/freshness.js";
import { SESSION_WAIT_MS_MAX, type SessionGate } from "../keygroups/session-gate.js";
import { readSessionToken, writeSessionToken } from "../keygroups/session-tokens.js";
import type { Clock } from "../ports/clock.js";
import type { Call } from "./call.js";

/** What sessions of calls are made from. */
export interface FunctionSessionsOptions {
  /** The function's own keygroup, where a replica of it serves here. */
  readonly keygroupOf: (
    name: FunctionName,
  ) => { readonly sessions: SessionGate; readonly freshness: Freshness } | undefined;
  /** Whether a replica on another node, to which there is a link, is known to show that. */
  readonly isShownElsewhere: (name: FunctionName, entry: SessionEntry) => boolean;
  readonly clock: Clock;
}

/** What an answer says of the data that its call has seen. */
export interface DataMarks {
  /** The token of the client's session after it. */
  readonly session?: string | undefined;
  /** How stale reads may have been, in whole milliseconds; absent if it has read nothing. */
  readonly staleness?: string | undefined;
}

/** What is known of a call when it has ended. */
export type EndedCall = Pick<
  Call,
  "session" | "isElsewhere" | "stalenessMs" | "hasReadDirectly" | "startedMs"
>;

/** How long a call waits for the replica here while one elsewhere shows what its client has seen. */
const HERE_MS = 2000;

/**
 * Sessions of clients over calls: a call begins once its function's keygroup shows here what the
 * client has seen anywhere, and its answer carries what it has seen now. The token is a client's to
 * keep and to send with its next call, to whichever node. Where no replica serves here, it goes along
 * with each operation instead.
 */
export class FunctionSessions {
  readonly #options: FunctionSessionsOptions;

  constructor(options: FunctionSessionsOptions) {
    this.#options = options;
  }

  /** Reads a token. @throws EnokiError `ENOKI_INVALID_INPUT` for one that is none */
  read(token: string): Session {
    return readSessionToken(token, this.#options.clock);
  }

  /**
   * Waits until a call with that session may begin; `undefined`: at once. Resolves with true if it is
   * to use a replica on another node, which shows what the one here does not.
   * @throws EnokiError rejects with `ENOKI_SESSION_LOST` or `ENOKI_SESSION_NOT_REACHED`
   */
  enter(
    name: FunctionName,
    session: Session,
    withinMs: number | undefined,
  ): Promise<boolean> | undefined {
    const gate = this.#options.keygroupOf(name)?.sessions;
    const entry = gate && session.keygroups.get(gate.keygroup);
    const allMs = Math.min(withinMs ?? SESSION_WAIT_MS_MAX, SESSION_WAIT_MS_MAX);
    const firstMs = Math.min(allMs, HERE_MS);
    const entered = gate?.admit(session, firstMs);
    if (!entered || !entry) return undefined;
    const isShown = (): boolean => this.#options.isShownElsewhere(name, entry);
    return elsewhereIfLate(entered, isShown, () =>
      elsewhereIfLate(gate.enter(entry, allMs - firstMs), isShown),
    );
  }

  /** What is said of the data with the answer to a call. @throws EnokiError `ENOKI_SESSION_TOO_LARGE` */
  marks(name: FunctionName, call: EndedCall): DataMarks {
    const keygroup = this.#options.keygroupOf(name);
    const seen = this.seenAfter(name, call);
    const stalenessMs = this.stalenessMs(name, call);
    return {
      session: seen && writeSessionToken(seen, keygroup?.sessions),
      staleness: stalenessMs === undefined ? undefined : String(Math.ceil(stalenessMs)),
    };
  }

  /** What the client of a call has seen that sees all that the call has; `undefined` = nothing to remember. */
  seenAfter(
    name: FunctionName,
    { session, isElsewhere }: Pick<EndedCall, "session" | "isElsewhere">,
  ): Session | undefined {
    const keygroup = this.#options.keygroupOf(name);
    return keygroup && !isElsewhere ? keygroup.sessions.seenAfter(session) : session;
  }

  /** How stale the reads of a call may have been; `undefined` = it has read nothing. */
  stalenessMs(name: FunctionName, call: EndedCall): number | undefined {
    return stalenessOf(call, this.#options.keygroupOf(name)?.freshness);
  }

  /** Writes a token for another node. @throws EnokiError `ENOKI_SESSION_TOO_LARGE` */
  write(name: FunctionName, session: Session): string {
    return writeSessionToken(session, this.#options.keygroupOf(name)?.sessions);
  }

  /** Calls `then` once an answer may leave that shows what {@link marks} has told of. */
  whenKept(name: FunctionName, then: () => void): void {
    const gate = this.#options.keygroupOf(name)?.sessions;
    if (gate) gate.whenKept(then);
    else then();
  }
}

/** False once it is in here; where it comes too late, true if it is shown elsewhere, or else `again`. */
async function elsewhereIfLate(
  entered: Promise<void> | undefined,
  isShown: () => boolean,
  again?: () => Promise<boolean>,
): Promise<boolean> {
  try {
    await entered;
    return false;
  } catch (error) {
    if (!isLate(error)) throw error;
    if (isShown()) return true;
    if (again) return again();
    throw error;
  }
}

function isLate(error: unknown): boolean {
  return error instanceof EnokiError && error.code === "ENOKI_SESSION_NOT_REACHED";
}

/**
 * When a call has read directly, nobody was told of the moments. They lie between its start and its
 * answer, so the greatest bound of all moments in between bounds them.
 */
function stalenessOf(call: EndedCall, freshness: Freshness | undefined): number | undefined {
  let boundMs = call.stalenessMs;
  if (call.hasReadDirectly) {
    boundMs = Math.max(boundMs ?? 0, freshness?.greatestSinceMs(call.startedMs) ?? Infinity);
  }
  return boundMs;
}
