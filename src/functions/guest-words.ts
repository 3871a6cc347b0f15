import { parseJsonObject } from "../channel/operations.js";
import { expectProtocol } from "../channel/payload.js";
import { isErrorCode, type ErrorCode } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
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

/** What a guest says went wrong: only what is text, and only so much of it. */
export interface GuestFailure {
  readonly code: string | undefined;
  readonly errorType: string;
  readonly message: string;
  readonly traceback: string | undefined;
}

/**
 * What a guest may say of a call that failed. With any other code it would speak for the node: say
 * that it drains, for one, which is no try of an asynchronous call.
 */
const FAILURE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_FUNCTION_ERROR",
  "ENOKI_INVALID_INPUT",
  "ENOKI_INVALID_RESULT",
  "ENOKI_OUTPUT_TOO_LARGE",
  "ENOKI_DISK_FULL",
]);

/** The code of a call's failure; what is not a guest's to say is the function's own error. */
export function failureCode({ code }: GuestFailure): ErrorCode {
  return isErrorCode(code) && FAILURE_CODES.has(code) ? code : "ENOKI_FUNCTION_ERROR";
}

/** Longest text that is taken from one field of a report. */
const TEXT_LENGTH_MAX = 64 * 1024;
/** Largest report: what a guest sends at most has room in it, with every character escaped. */
const REPORT_BYTES_MAX = 1024 * 1024;

/** Reads FAILED or LOAD_FAILED. @throws ChannelError unless it is a JSON object of a usual size */
export function parseFailure(payload: Buffer): GuestFailure {
  const fields = parseFields(payload);
  return {
    code: textOf(fields["code"]),
    errorType: textOf(fields["errorType"]) ?? "Error",
    message: textOf(fields["message"]) ?? "",
    traceback: textOf(fields["traceback"]),
  };
}

/** One line about what a guest says went wrong. */
export function describeFailure({ errorType, message }: GuestFailure): string {
  return `${errorType}: ${message}`;
}

function textOf(field: unknown): string | undefined {
  return typeof field === "string" ? field.slice(0, TEXT_LENGTH_MAX) : undefined;
}

/** Reads READY: how many calls the guest offers to run at once. @throws ChannelError */
export function parseConcurrency(payload: Buffer): number {
  const { concurrency } = parseFields(payload);
  if (typeof concurrency !== "number") return 1;
  return Math.min(Math.max(1, Math.floor(concurrency)), LIMITS.concurrencyMax);
}

/** The JSON object that a guest sent as a report. @throws ChannelError */
function parseFields(payload: Buffer): Readonly<Record<string, unknown>> {
  expectProtocol(payload.length <= REPORT_BYTES_MAX, `a report of ${payload.length} bytes`);
  return parseJsonObject(payload, 0);
}
