import { ERRORS, EnokiError, isErrorCode } from "../core/errors.js";

/** What the exit codes of the command line mean; `docs/reference/cli.md` lists them too. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done"],
  [1, "it failed, or there is no such thing"],
  [2, "wrong use: an argument, a flag, a setting or the data"],
  [3, "no node answers"],
  [4, "refused: a token or a right is missing"],
  [5, "the function failed, or answered 400 or more"],
  [6, "a port or a data directory is in use"],
  [7, "not now: too much is waiting, or the node is ending"],
];

/** Exit code of the function having failed. */
export const EXIT_FUNCTION_FAILED = 5;

/** Exit code of wrong use. */
export const EXIT_WRONG_USE = 2;

/** The exit code for whatever was thrown. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof EnokiError)) return 1;
  if (isErrorCode(error.code)) return ERRORS[error.code].exitCode;
  return exitCodeOfStatus(error.status);
}

/** An error for people: what happened, its code, what to do. Several lines, ending in a newline. */
export function renderError(error: unknown): string {
  if (!(error instanceof EnokiError)) {
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `error: ${shown}\ncode: ENOKI_INTERNAL\nfix: this is a bug; please report it\n`;
  }
  const fix = isErrorCode(error.code) ? ERRORS[error.code].fix : error.extra["fix"];
  const lines = [`error: ${error.message}`, ...details(error.extra), `code: ${error.code}`];
  if (typeof fix === "string") lines.push(`fix: ${fix}`);
  return `${lines.join("\n")}\n`;
}

/** What a function's failure says about itself, indented. */
function details(extra: Readonly<Record<string, unknown>>): string[] {
  const lines = [];
  for (const member of ["reason", "errorType", "message"]) {
    const said = extra[member];
    if (typeof said === "string" && said !== "") lines.push(`  ${member}: ${said}`);
  }
  for (const member of ["traceback", "output"]) {
    const said = extra[member];
    if (typeof said === "string") lines.push(...said.trimEnd().split("\n").map(indent));
  }
  return lines;
}

function indent(line: string): string {
  return `  ${line}`;
}

/** For codes of a newer node: what their HTTP status suggests. */
function exitCodeOfStatus(status: number): number {
  if (status === 401 || status === 403) return 4;
  if (status === 503) return 7;
  return status < 500 && status !== 404 && status !== 409 && status !== 412 ? 2 : 1;
}
