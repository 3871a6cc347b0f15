/** What the authors of functions import: `import { kv } from "enoki"`. */
import { EnokiError } from "./core/errors.js";
import { GUEST } from "./guest/global.js";
import type { CallOptions, Kv, ResponseInit, SendOptions, Stored, Value } from "./guest/types.js";

export { EnokiError, type ErrorCode } from "./core/errors.js";
export type {
  Batch,
  BatchResult,
  CallOptions,
  Context,
  Counter,
  Entry,
  FetchHandler,
  Handler,
  Json,
  Kv,
  MapOf,
  ReadOptions,
  ResponseInit,
  Scan,
  ScanOptions,
  ScanRange,
  SendOptions,
  SetOf,
  SetOptions,
  Stored,
  Update,
  Value,
  WatchEvent,
} from "./guest/types.js";

/** What the guest offers; absent outside of a running function. */
interface Guest {
  readonly kv: Kv;
  readonly response: (body?: unknown, init?: ResponseInit) => EnokiResponse;
  readonly call: <T = Stored | undefined>(
    name: string,
    data?: Value,
    options?: CallOptions,
  ) => Promise<T>;
  readonly send: (name: string, data?: Value, options?: SendOptions) => Promise<string>;
}

/** A result with status and headers; see {@link response}. */
export interface EnokiResponse {
  readonly status: number;
}

const guest = (globalThis as unknown as Record<symbol, Guest | undefined>)[GUEST];

/** The state of the running function. Outside of Enoki its use throws `ENOKI_UNSUPPORTED`. */
export const kv: Kv = guest?.kv ?? outside<Kv>("kv");

/** Answers a call with status and headers; outside of Enoki it throws `ENOKI_UNSUPPORTED`. */
export const response: Guest["response"] = guest?.response ?? outside("response");

/**
 * Calls a function by its name, on this node or the nearest one that runs it, and resolves with what
 * it returns; `undefined` for nothing. Rejects with an {@link EnokiError}: with the code
 * `ENOKI_CALL_STATUS` if it answered with a status that is no success.
 */
export const call: Guest["call"] = guest?.call ?? outside("call");

/**
 * Lets a function be called with that data later, at least once, and resolves with the invocation's id
 * as soon as that is as durable as a write of the function's keygroup.
 */
export const send: Guest["send"] = guest?.send ?? outside("send");

/** Importing works everywhere, for tests of an author's own helpers; only the use fails. */
function outside<T extends object>(name: string): T {
  const refuse = (): never => {
    throw new EnokiError(
      "ENOKI_UNSUPPORTED",
      `${name} works only inside a function that Enoki runs`,
    );
  };
  return new Proxy((() => {}) as unknown as T, { get: refuse, apply: refuse });
}
