import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import type { CallResponse } from "../call.js";
import type { CallEnd } from "../calls/call-order.js";
import type { DataMarks, FunctionSessions } from "../sessions.js";
import * as rows from "./rows.js";

/** What is stored of how a call ended. */
export function outcomeOf({ outcome }: CallEnd): CallResponse | rows.StoredFailure {
  return outcome instanceof EnokiError ? rows.failureOf(outcome) : outcome;
}

/** What is said of the data with a result; a session that no token holds is left out. */
export function marksOf(
  { session, stalenessMs }: CallEnd,
  name: FunctionName,
  sessions: Pick<FunctionSessions, "write">,
): DataMarks {
  return {
    ...(session && { session: tokenOf(session, name, sessions) }),
    ...(stalenessMs !== undefined && { staleness: String(Math.ceil(stalenessMs)) }),
  };
}

/** The end that a stored result tells of. */
export function endOf(
  { outcome, marks = {} }: rows.StoredResult,
  sessions: Pick<FunctionSessions, "read">,
): CallEnd {
  const { session, staleness } = marks;
  return {
    outcome: "code" in outcome ? rows.errorOf(outcome) : outcome,
    isStarted: true,
    session: session === undefined ? undefined : sessions.read(session),
    stalenessMs: staleness === undefined ? undefined : Number(staleness),
  };
}

function tokenOf(
  session: NonNullable<CallEnd["session"]>,
  name: FunctionName,
  sessions: Pick<FunctionSessions, "write">,
): string | undefined {
  try {
    return sessions.write(name, session);
  } catch (error) {
    if (error instanceof EnokiError) return undefined;
    throw error;
  }
}
