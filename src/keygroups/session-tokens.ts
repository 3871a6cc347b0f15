import { EnokiError } from "../core/errors.js";
import { hlcFromMs } from "../core/hlc.js";
import { LIMITS } from "../core/limits.js";
import { decodeSession, encodeSession, type Session } from "../core/session.js";
import type { Clock } from "../ports/clock.js";
import type { SessionGate } from "./session-gate.js";

/**
 * No client has seen a time that lies further ahead of this node's clock: links refuse clocks that
 * differ by more. A made-up token could otherwise let values expire before their time.
 */
const AHEAD_MS_MAX = 10_000;

/**
 * Reads what a client or another node sent.
 * @throws EnokiError `ENOKI_INVALID_INPUT` if it is no token, `ENOKI_SESSION_TOO_LARGE` if it is longer
 * than any
 */
export function readSessionToken(token: string, clock: Clock): Session {
  const bytesMax = LIMITS.sessionTokenBytesMax;
  if (token.length > bytesMax) {
    const detail = `session: a token takes at most ${bytesMax} bytes, and this takes ${token.length}`;
    throw new EnokiError("ENOKI_SESSION_TOO_LARGE", detail, { field: "session" });
  }
  return decodeSession(token, hlcFromMs(clock.nowMs() + AHEAD_MS_MAX));
}

/**
 * The token of a session. One that is too long leaves out what all members of the keygroup behind
 * `gate` have. @throws EnokiError `ENOKI_SESSION_TOO_LARGE`
 */
export function writeSessionToken(session: Session, gate: SessionGate | undefined): string {
  return encodeSession(session, (keygroup) =>
    keygroup === gate?.keygroup ? gate.stableVector : undefined,
  );
}
