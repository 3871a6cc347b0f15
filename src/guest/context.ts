import { isUtf8 } from "node:buffer";
import { EnokiError } from "../core/errors.js";
import { splitHeaders, type InvokeView } from "../channel/invoke.js";
import { decodeText, toUint8Array } from "./kv-values.js";
import type { Context } from "./types.js";

/** A body that is not what its reader asked for: answers 400, while a function's own errors answer 500. */
export class InvalidInputError extends EnokiError {
  constructor(detail: string) {
    super("ENOKI_INVALID_INPUT", detail);
  }
}

/** One running call: what the author sees of it. Everything is decoded on first use. */
export class CallContext implements Context {
  readonly #view: InvokeView;
  readonly #receivedAtMs = Date.now();
  #headers: Readonly<Record<string, string>> | undefined;
  #query: URLSearchParams | undefined;
  #abort: AbortController | undefined;
  #isCancelled = false;

  constructor(view: InvokeView) {
    this.#view = view;
  }

  get method(): string {
    return this.#view.method;
  }

  get path(): string {
    return this.#view.path;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#view.query);
    return this.#query;
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= joinRepeated(splitHeaders(this.#view.headers));
    return this.#headers;
  }

  get invocationId(): string {
    return this.#view.invocationId;
  }

  get deadline(): Date {
    return new Date(this.#receivedAtMs + this.#view.timeoutMs);
  }

  get idempotencyKey(): string | undefined {
    return this.#view.idempotencyKey || undefined;
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#isCancelled) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  json<T = unknown>(): T {
    return parseJsonBody(this.#view.body) as T;
  }

  bytes(): Uint8Array {
    return toUint8Array(this.#view.body);
  }

  text(): string {
    return decodeText(this.#view.body);
  }

  /** Tells the author's code, if it listens, that nobody waits any more. */
  static cancel(context: CallContext): void {
    context.#isCancelled = true;
    context.#abort?.abort();
  }
}

/** Parses a body as JSON. @throws InvalidInputError */
export function parseJsonBody(body: Buffer): unknown {
  if (!isUtf8(body)) throw new InvalidInputError("the body is not JSON: it is not UTF-8");
  try {
    return JSON.parse(decodeText(body)) as unknown;
  } catch (error) {
    throw new InvalidInputError(`the body is not JSON: ${(error as Error).message}`);
  }
}

function joinRepeated(parts: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < parts.length; i += 2) {
    const name = parts[i] as string;
    const value = parts[i + 1] as string;
    headers[name] = name in headers ? `${headers[name] as string}, ${value}` : value;
  }
  return headers;
}
