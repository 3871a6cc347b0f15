import type { InvokeView } from "../channel/invoke.js";
import type { CallContext } from "./context.js";
import { readInput } from "./input.js";
import type { Handler } from "./types.js";

/** How calls are handed to the code of one function. */
export interface Runtime {
  /** Calls that an instance takes at once. */
  readonly concurrency: number;
  /** Starts a call: its result, a `Reply`, or a promise of either. */
  start(view: InvokeView, context: CallContext): unknown;
  /** Ends what the calls have started, when the instance ends. */
  close?(): void;
}

/** What LOAD says. */
export interface LoadRequest {
  readonly protocol: number;
  readonly runtime: string;
  readonly entry: string;
  readonly codeDir: string;
  readonly function: string;
  readonly keygroup: string;
  /** File of the keygroup's store, to read it directly; `null` = the node reads. */
  readonly store: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly outputBytesMax: number;
}

/** The code holds no handler. */
export class NoEntryError extends Error {
  override readonly name = "NoEntryError";
}

/** Calls at once where calls only wait for each other's promises. */
export const CONCURRENCY_ASYNC = 64;

/** The runtime `node`: `call(input, ctx)`, or a default export with `fetch`. */
export function nodeRuntime(code: Readonly<Record<string, unknown>>): Runtime {
  const inner = code["default"] as Readonly<Record<string, unknown>> | undefined;
  const call = code["call"] ?? ownCall(inner);
  if (typeof call === "function") return callRuntime(call as Handler);
  if (typeof inner?.["fetch"] === "function") return fetchRuntime(inner as unknown as FetchCode);
  throw new NoEntryError(
    "the code exports neither call(input, ctx) nor a default with fetch(request)",
  );
}

/** `module.exports.call` of CommonJS; every function has an inherited `call`, which is none. */
function ownCall(inner: Readonly<Record<string, unknown>> | undefined): unknown {
  return typeof inner === "object" && inner !== null ? inner["call"] : undefined;
}

function callRuntime(call: Handler): Runtime {
  return {
    concurrency: CONCURRENCY_ASYNC,
    start: (view, context) => call(readInput(view), context),
  };
}

interface FetchCode {
  fetch(request: Request, context: CallContext): unknown;
}

function fetchRuntime(code: FetchCode): Runtime {
  // Loads the engine's web classes now rather than in the first call.
  const { Request } = globalThis;
  return {
    concurrency: CONCURRENCY_ASYNC,
    start: (view, context) => code.fetch(toWebRequest(Request, view, context), context),
  };
}

function toWebRequest(WebRequest: typeof Request, view: InvokeView, context: CallContext): Request {
  const { headers, method } = context;
  const query = view.query === "" ? "" : `?${view.query}`;
  const url = `http://${headers["host"] ?? "localhost"}${view.path || "/"}${query}`;
  const hasBody = view.hasBody && method !== "GET" && method !== "HEAD";
  return new WebRequest(url, {
    method,
    headers,
    signal: context.signal,
    ...(hasBody ? { body: view.body } : {}),
  });
}
