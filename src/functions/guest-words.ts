import { parseJsonObject } from "../channel/operations.js";
import { expectProtocol } from "../channel/payload.js";
import { decodeResult } from "../channel/invoke.js";
import { EnokiError, isErrorCode, type ErrorCode } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { GuestExit } from "../ports/runtime.js";
import type { CallResponse } from "./call.js";

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
  /** It has read from the store's file before. */
  readonly hasRead: boolean;
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

/** What a caller is told of a failed call; what is not a guest's to say is the function's own error. */
export function callError(failure: GuestFailure): EnokiError {
  const { errorType, message } = failure;
  return new EnokiError(failureCode(failure), describeFailure(failure), { errorType, message });
}

/** What a deploy is told of a revision that does not load, with the function's own traceback. */
export function loadError(failure: GuestFailure): EnokiError {
  const { errorType, traceback } = failure;
  const code = failure.code === "ENOKI_NO_ENTRY" ? "ENOKI_NO_ENTRY" : "ENOKI_LOAD_FAILED";
  return new EnokiError(code, describeFailure(failure), { errorType, traceback });
}

/** The same of a process that ended before it had loaded. */
export function loadCutError(reason: string): EnokiError {
  const what = `the function's process ended while loading: ${reason}`;
  return new EnokiError("ENOKI_LOAD_FAILED", what, { reason });
}

/** What the caller of a running call is told when the process ended. */
export function deathError(reason: string, { code, signal }: GuestExit): EnokiError {
  const what = `the function's process ended: ${reason}`;
  return new EnokiError("ENOKI_INSTANCE_DIED", what, { reason, exitCode: code, signal });
}

/** Reads RESULT: the response, or that it is too large. @throws ChannelError */
export function parseResult(payload: Buffer): CallResponse | EnokiError {
  const result = decodeResult(payload);
  const sizeBytes = result.body.length;
  if (sizeBytes > LIMITS.outputBytesMax) {
    return new EnokiError("ENOKI_OUTPUT_TOO_LARGE", `the function returned ${sizeBytes} bytes`);
  }
  return { ...result, status: result.status === 0 ? 200 : result.status };
}

function failureCode({ code }: GuestFailure): ErrorCode {
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
    hasRead: fields["hasRead"] === true,
  };
}

function describeFailure({ errorType, message }: GuestFailure): string {
  return `${errorType}: ${message}`;
}

function textOf(field: unknown): string | undefined {
  return typeof field === "string" ? field.slice(0, TEXT_LENGTH_MAX) : undefined;
}

/**
 * Reads READY: how many calls the guest offers to run at once and, if it runs one at a time, how
 * many more it takes ahead. @throws ChannelError
 */
export function parseOffer(payload: Buffer): {
  readonly concurrency: number;
  readonly aheadMax: number;
} {
  const { concurrency, ahead } = parseFields(payload);
  return {
    concurrency: cutCount(concurrency, 1, LIMITS.concurrencyMax),
    aheadMax: cutCount(ahead, 0, LIMITS.callsAheadMax),
  };
}

function cutCount(field: unknown, least: number, most: number): number {
  return typeof field === "number" ? Math.min(Math.max(least, Math.floor(field)), most) : least;
}

/** The JSON object that a guest sent as a report. @throws ChannelError */
function parseFields(payload: Buffer): Readonly<Record<string, unknown>> {
  expectProtocol(payload.length <= REPORT_BYTES_MAX, `a report of ${payload.length} bytes`);
  return parseJsonObject(payload, 0);
}
