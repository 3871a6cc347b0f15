import { ChannelError } from "../channel/payload.js";
import type { GuestExit } from "../ports/runtime.js";

/** What a launcher gives as the reason when it was told to end the process. */
const KILLED = "killed";

/** Why an instance ended; `ours` is why we ended it, if we did. A limit that it broke counts more. */
export function describeEnd(exit: GuestExit, ours: string | undefined): string {
  const known = exit.reason === KILLED ? undefined : exit.reason;
  return known ?? ours ?? exit.reason ?? describeExit(exit);
}

function describeExit(exit: GuestExit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.code === null ? "unknown" : `exit code ${exit.code}`;
}

/** One line about what a guest says went wrong. */
export function describeFailure(failure: Readonly<Record<string, unknown>>): string {
  return `${String(failure["errorType"] ?? "Error")}: ${String(failure["message"] ?? "")}`;
}

/** The JSON object that a guest sent. @throws ChannelError */
export function parseFields(payload: Buffer): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(payload.toString("utf8"));
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // Falls through to the same answer.
  }
  throw new ChannelError("a payload is not a JSON object");
}
