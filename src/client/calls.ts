import { EnokiError } from "../core/errors.js";
import { parseFunctionName } from "../core/ids.js";
import { encodeValue } from "../guest/kv-values.js";
import { TAG } from "../core/value.js";
import type { Value } from "../guest/types.js";
import { durationMs, segment } from "./options.js";
import { errorOf, isProblem } from "./problem.js";
import type { NodeAnswer, NodePorts } from "./node-ports.js";
import { text, type Body, type ClientAnswer } from "./transport.js";

/** Options of a call. */
export interface CallOptions {
  /** `POST` unless said otherwise. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | Headers | [string, string][];
  /** What follows the function's name, with its query: `/today?unit=c`. */
  readonly path?: string;
  /** How long the function may take: a duration such as `5s`. */
  readonly timeout?: string;
  /** Gives up waiting; the function itself may go on. */
  readonly signal?: AbortSignal;
  /** Makes a repeated asynchronous invocation the same invocation. */
  readonly idempotencyKey?: string;
}

/** What a function answered. */
export interface CallResponse {
  readonly status: number;
  readonly headers: Headers;
  bytes(): Uint8Array;
  text(): string;
  json<T = unknown>(): T;
}

/** An asynchronous invocation that was accepted. */
export interface SentInvocation {
  readonly id: string;
  /** Path on the function port where the result will be. */
  readonly location: string;
}

/** The longest pause between two looks at a result that is not there yet. */
const POLL_MS_MAX = 1000;
const POLL_MS_MIN = 20;

/** Calls functions and fetches results. */
export class Calls {
  readonly #ports: NodePorts;

  constructor(ports: NodePorts) {
    this.#ports = ports;
  }

  /** @throws EnokiError when the platform refuses the call or the function fails */
  async call(name: string, data: Value | undefined, options: CallOptions): Promise<CallResponse> {
    return toResponse(await this.#send(name, data, options, toHeaders(options)));
  }

  /** @throws EnokiError when the invocation is not accepted */
  async send(name: string, data: Value | undefined, options: CallOptions): Promise<SentInvocation> {
    const headers = toHeaders(options);
    headers.set("prefer", "respond-async");
    const { url, answer } = await this.#send(name, data, options, headers);
    const location = answer.headers.get("location");
    if (answer.status === 202 && location !== null) {
      return { id: location.slice(location.lastIndexOf("/") + 1), location };
    }
    throw errorOf(`${url}/${name}`, answer.status, answer.headers, text(answer.body));
  }

  /** @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND`, or what the invocation failed with */
  async result(
    id: string,
    options: { readonly wait?: string; readonly signal?: AbortSignal },
  ): Promise<CallResponse | undefined> {
    const path = `/_enoki/invocations/${segment(id)}`;
    const waitMs = options.wait === undefined ? 0 : durationMs("wait", options.wait);
    const endMs = performance.now() + waitMs;
    for (let pauseMs = POLL_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX)) {
      // The node that took the invocation has its result; the others know nothing of it.
      const found = await this.#ports.send(path, { signal: options.signal }, isNotFound);
      if (found.answer.status !== 202) return toResponse(found);
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return undefined;
      await pause(Math.min(pauseMs, leftMs), options.signal);
    }
  }

  async #send(
    name: string,
    data: Value | undefined,
    options: CallOptions,
    headers: Headers,
  ): Promise<NodeAnswer> {
    const { method = "POST", path = "", signal } = options;
    const body = data === undefined ? undefined : toBody(data, headers);
    const target = `/${parseFunctionName(name)}${path}`;
    checkRequest(method, path, body !== undefined);
    return await this.#ports.send(target, {
      method: method.toUpperCase(),
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
  }
}

function toHeaders({ headers: given, timeout, idempotencyKey }: CallOptions): Headers {
  let headers: Headers;
  try {
    headers = new Headers(given);
    if (idempotencyKey !== undefined) headers.set("idempotency-key", idempotencyKey);
  } catch (error) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `not a valid header: ${(error as Error).message}`);
  }
  if (timeout !== undefined) {
    durationMs("timeout", timeout);
    headers.set("enoki-timeout", timeout);
  }
  return headers;
}

function toBody(data: Value, headers: Headers): Body {
  const { tag, content } = encodeValue(data);
  if (!headers.has("content-type")) headers.set("content-type", contentTypeOf(tag));
  return content as Body;
}

function contentTypeOf(tag: number): string {
  if (tag === TAG.str) return "text/plain; charset=utf-8";
  return tag === TAG.json ? "application/json" : "application/octet-stream";
}

function checkRequest(method: string, path: string, hasBody: boolean): void {
  if (!/^[A-Za-z-]+$/.test(method) || /^(?:CONNECT|TRACE|TRACK)$/i.test(method)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `${JSON.stringify(method)} is no usable method`);
  }
  if (hasBody && /^(?:GET|HEAD)$/i.test(method)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `${method.toUpperCase()} takes no data`);
  }
  if (path !== "" && !/^[/?]/.test(path)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `a path begins with / or ?: ${path}`);
  }
}

/** Not a 404 of the function's own. */
function isNotFound({ status, headers, body }: ClientAnswer): boolean {
  if (status !== 404 || !isProblem(headers)) return false;
  return errorOf("", status, headers, text(body)).code === "ENOKI_INVOCATION_NOT_FOUND";
}

function toResponse({ url, answer }: NodeAnswer): CallResponse {
  const { status, headers, body } = answer;
  if (status >= 400 && isProblem(headers)) throw errorOf(url, status, headers, text(body));
  return {
    status,
    headers,
    bytes: () => body,
    text: () => text(body),
    json: <T>() => JSON.parse(text(body)) as T,
  };
}

function pause(pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, pauseMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
