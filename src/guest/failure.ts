import { readableStack } from "./readable-stack.js";

const MESSAGE_LENGTH_MAX = 16 * 1024;
const TRACEBACK_LENGTH_MAX = 64 * 1024;

/** The JSON of FAILED and LOAD_FAILED. */
export interface Failure {
  readonly errorType: string;
  readonly message: string;
  readonly traceback: string;
  readonly code: string;
}

/** Describes anything that was thrown. Never throws itself. */
export function describeError(error: unknown, code: string): Failure {
  try {
    if (error instanceof Error) {
      return {
        errorType: error.name || error.constructor.name,
        message: String(error.message).slice(0, MESSAGE_LENGTH_MAX),
        traceback: tracebackOf(error),
        code,
      };
    }
    const text = typeof error === "string" ? error : (JSON.stringify(error) ?? String(error));
    const message = text.slice(0, MESSAGE_LENGTH_MAX);
    return { errorType: typeof error, message, traceback: message, code };
  } catch {
    const message = "something was thrown that cannot be described";
    return { errorType: typeof error, message, traceback: message, code };
  }
}

function tracebackOf(error: Error): string {
  const stack = String(error.stack ?? error).slice(0, TRACEBACK_LENGTH_MAX);
  try {
    return readableStack(stack, process.argv[1]);
  } catch {
    return stack;
  }
}
