/** What the authors of functions import: `import { kv } from "enoki"`. */
import { EnokiError } from "./core/errors.js";
import { GUEST } from "./guest/global.js";
import type { Kv, ResponseInit } from "./guest/types.js";

export { EnokiError, type ErrorCode } from "./core/errors.js";
export type {
  Batch,
  BatchResult,
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
