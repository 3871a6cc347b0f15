import type { FunctionName } from "../core/ids.js";
import { hlcFromMs } from "../core/hlc.js";
import {
  decodeSession,
  encodeSession,
  mergeSessions,
  NEW_SESSION,
  type Session,
} from "../core/session.js";
import type { SessionGate } from "../keygroups/session-gate.js";
import type { Clock } from "../ports/clock.js";

/** What sessions of calls are made from. */
export interface FunctionSessionsOptions {
  /** The gate of a function's own keygroup; `undefined` if there is none here. */
  readonly gateOf: (name: FunctionName) => SessionGate | undefined;
  readonly clock: Clock;
}

/**
 * No client has seen a time that lies further ahead of this node's clock: links refuse clocks that
 * differ by more. A made-up token could otherwise let values expire before their time.
 */
const AHEAD_MS_MAX = 10_000;
/** How long a call waits, at most, for what its session has seen. */
const WAIT_MS_MAX = 5000;

/**
 * Sessions of clients over calls: a call begins once its function's keygroup shows here what the
 * client has seen anywhere, and its answer carries what it has seen now. The token is a client's to
 * keep and to send with its next call, to whichever node.
 */
export class FunctionSessions {
  readonly #options: FunctionSessionsOptions;

  constructor(options: FunctionSessionsOptions) {
    this.#options = options;
  }

  /**
   * Waits until a call with that token may begin; `undefined`: at once.
   * @throws EnokiError `ENOKI_INVALID_INPUT` for a token that is none; rejects with
   * `ENOKI_SESSION_LOST` or `ENOKI_SESSION_NOT_REACHED`
   */
  enter(
    name: FunctionName,
    token: string,
    withinMs: number | undefined,
  ): Promise<void> | undefined {
    const session = this.#decode(token);
    const gate = this.#options.gateOf(name);
    if (!gate) return undefined;
    gate.observe(session.hlc);
    const entry = session.keygroups.get(gate.keygroup);
    if (!entry) return undefined;
    return gate.enter(entry, Math.min(withinMs ?? WAIT_MS_MAX, WAIT_MS_MAX));
  }

  /** The token of the answer; `undefined` where none is needed: nobody else has the data. */
  leave(name: FunctionName, token: string): string | undefined {
    const gate = this.#options.gateOf(name);
    const isShared = gate?.isShared === true;
    if (token === "" && !isShared) return undefined;
    let session = token === "" ? NEW_SESSION : this.#decode(token);
    if (isShared) session = mergeSessions(session, seenAt(gate));
    return encodeSession(session, (keygroup) =>
      keygroup === gate?.keygroup ? gate.stableVector : undefined,
    );
  }

  /** Calls `then` once an answer may leave that shows what {@link leave} has told of. */
  whenKept(name: FunctionName, then: () => void): void {
    const gate = this.#options.gateOf(name);
    if (gate) gate.whenKept(then);
    else then();
  }

  #decode(token: string): Session {
    return decodeSession(token, hlcFromMs(this.#options.clock.nowMs() + AHEAD_MS_MAX));
  }
}

function seenAt({ keygroup, seen }: SessionGate): Session {
  return { hlc: seen.hlc, keygroups: new Map([[keygroup, seen.entry]]) };
}
