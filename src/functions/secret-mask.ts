import type { GuestFailure } from "./guest-words.js";
import type { LogBook } from "./log-book.js";

/** Takes the secrets of a function out of text that it wrote. */
export type SecretMask = (text: string) => string;

/** What an instance writes to. */
export type InstanceLog = Pick<LogBook, "write" | "writeBytes">;

/** What stands in place of a secret. */
const MASK = "••••";
/** Shorter values would take words out of every text, and can be guessed anyhow. */
const MASKED_LENGTH_MIN = 6;

/**
 * Masks values, and the lines of those that have several, for logs are cut into lines; `undefined` if
 * there is nothing to mask. A secret that the function has encoded or split is not found.
 */
export function maskOf(values: readonly string[]): SecretMask | undefined {
  const parts = values.flatMap((value) => [value, ...value.split(/\r?\n/)]);
  const masked = [...new Set(parts)]
    .filter(({ length }) => length >= MASKED_LENGTH_MIN)
    .sort((a, b) => b.length - a.length);
  if (masked.length === 0) return undefined;
  return (text) => masked.reduce((rest, part) => rest.replaceAll(part, MASK), text);
}

/** The same log, where nobody reads the secrets of the function. */
export function maskedLog(log: InstanceLog, mask: SecretMask): InstanceLog {
  return {
    write: (stream, invocation, text) => log.write(stream, invocation, mask(text)),
    writeBytes: (stream, invocation, bytes) =>
      log.writeBytes(stream, invocation, Buffer.from(mask(bytes.toString("utf8")), "utf8")),
  };
}

/** What a guest says of a failure, as it is shown and stored. */
export function maskedFailure(failure: GuestFailure, mask: SecretMask): GuestFailure {
  const { errorType, message, traceback } = failure;
  return {
    ...failure,
    errorType: mask(errorType),
    message: mask(message),
    traceback: traceback && mask(traceback),
  };
}
