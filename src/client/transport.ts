import { EnokiError } from "../core/errors.js";
import { formatDurationMs } from "../base/duration.js";
import { errorOf, RemoteError } from "./problem.js";
import { readJsonLines } from "./json-lines.js";

/** What `fetch` takes as a body. */
export type Body = NonNullable<RequestInit["body"]>;

/** A request to a node. */
export interface ClientRequest {
  readonly method?: string;
  readonly headers?: Headers;
  readonly body?: Body;
  readonly signal?: AbortSignal | undefined;
  /** Gives up after this time; `undefined` = the transport's own, `0` = never. */
  readonly timeoutMs?: number | undefined;
}

/** An answer that has arrived as a whole. */
export interface ClientAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Codes of `fetch` itself giving up on a silent connection, which nobody can forbid it. */
const FETCH_TIMEOUTS: ReadonlySet<string> = new Set([
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
]);

/** Codes of connections that never came about, so that nothing was sent on them. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** True of an error by which a request certainly did not reach anybody. */
export function isNotSent(error: unknown): boolean {
  return error instanceof EnokiError && error.extra["isNotSent"] === true;
}

/** Sends requests to a node, or to whichever of several answers; every failure is an {@link EnokiError}. */
export abstract class Requests {
  /** Address without a slash at its end; of several, the first. */
  abstract readonly url: string;

  /** Sends a request and waits for the whole answer, whatever its status. */
  abstract send(path: string, request?: ClientRequest): Promise<ClientAnswer>;

  /** Reads an answer of JSON lines as they arrive, without a timeout. An abort ends it quietly. */
  abstract lines(path: string, request?: ClientRequest): AsyncGenerator<unknown>;

  /** Like {@link send}, but an answer beyond 2xx is thrown. @throws EnokiError */
  async request(path: string, request: ClientRequest = {}): Promise<ClientAnswer> {
    const answer = await this.send(path, request);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw errorOf(this.url + path, answer.status, answer.headers, text(answer.body));
  }

  /** Sends a request, with `json` as its body if given, and reads a JSON answer. @throws EnokiError */
  async json<T>(
    path: string,
    request: ClientRequest & { readonly json?: unknown } = {},
  ): Promise<T> {
    const { json, ...rest } = request;
    const answer = await this.request(path, json === undefined ? rest : withJson(rest, json));
    return parseJson(this.url + path, answer.body) as T;
  }
}

/** Sends requests to one address. */
export class Transport extends Requests {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number | undefined;

  constructor(url: string, token: string | undefined, timeoutMs: number | undefined) {
    super();
    this.url = parseUrl(url);
    this.#token = token;
    this.#timeoutMs = timeoutMs;
  }

  async send(path: string, request: ClientRequest = {}): Promise<ClientAnswer> {
    const watch = this.#watch(request);
    try {
      const response = await this.#open(path, request, watch.signal);
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      throw this.#explain(error, watch);
    }
  }

  async *lines(path: string, request: ClientRequest = {}): AsyncGenerator<unknown> {
    const watch = this.#watch({ ...request, timeoutMs: 0 });
    try {
      const response = await this.#open(path, request, watch.signal);
      if (!response.ok) {
        throw errorOf(this.url + path, response.status, response.headers, await response.text());
      }
      if (!response.body) return;
      for await (const line of readJsonLines(response.body as AsyncIterable<Uint8Array>)) {
        yield throwIfError(line);
      }
    } catch (error) {
      if (request.signal?.aborted) return;
      throw this.#explain(error, watch);
    }
  }

  #watch(request: ClientRequest): Watch {
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs ?? 0;
    const timeout = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined;
    const signals = [request.signal, timeout].filter((signal) => signal !== undefined);
    return { timeout, timeoutMs, signal: signals.length > 0 ? AbortSignal.any(signals) : null };
  }

  async #open(path: string, request: ClientRequest, signal: AbortSignal | null): Promise<Response> {
    const headers = new Headers(request.headers);
    if (this.#token !== undefined) headers.set("authorization", `Bearer ${this.#token}`);
    return await fetch(this.url + path, {
      method: request.method ?? "GET",
      headers,
      redirect: "manual",
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  }

  #explain(error: unknown, watch: Watch): unknown {
    if (error instanceof EnokiError) return error;
    if (watch.timeout?.aborted) {
      const waited = formatDurationMs(watch.timeoutMs);
      return new EnokiError("ENOKI_TIMEOUT", `${this.url} did not answer within ${waited}`);
    }
    // `fetch` throws a TypeError for every failure of the connection and keeps the reason in it.
    const reason = error instanceof TypeError ? (error.cause as NodeJS.ErrnoException) : undefined;
    if (reason === undefined) return error;
    if (FETCH_TIMEOUTS.has(reason.code ?? "")) {
      return new EnokiError("ENOKI_TIMEOUT", `${this.url} said nothing for five minutes`);
    }
    return new EnokiError(
      "ENOKI_NODE_UNREACHABLE",
      `no node answers at ${this.url} (${reason.code ?? reason.message})`,
      NOT_CONNECTED.has(reason.code ?? "") ? { isNotSent: true } : {},
    );
  }
}

interface Watch {
  readonly timeout: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

/** A stream that breaks off says why in its last line. */
function throwIfError(line: unknown): unknown {
  const { error } = line as { error?: { code: string; message: string } };
  if (error !== undefined) throw new RemoteError(error.code, 500, error.message);
  return line;
}

function withJson(request: ClientRequest, json: unknown): ClientRequest {
  const headers = new Headers(request.headers);
  headers.set("content-type", "application/json");
  return { ...request, headers, body: JSON.stringify(json) };
}

/** Decodes a body as UTF-8. */
export function text(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** Parses an answer that should be JSON. @throws EnokiError `ENOKI_NODE_UNREACHABLE` if it is not */
function parseJson(url: string, body: Uint8Array): unknown {
  try {
    return JSON.parse(text(body)) as unknown;
  } catch {
    throw new EnokiError("ENOKI_NODE_UNREACHABLE", `what answers at ${url} is no Enoki node`);
  }
}

function parseUrl(given: string): string {
  const full = given.includes("://") ? given : `http://${given}`;
  const parsed = URL.canParse(full) ? new URL(full) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      `${JSON.stringify(given)} is no address such as http://127.0.0.1:8080`,
    );
  }
  return (parsed.origin + parsed.pathname).replace(/\/+$/, "");
}
