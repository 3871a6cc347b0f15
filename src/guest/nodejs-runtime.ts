import type { InvokeView } from "../channel/invoke.js";
import type { CallContext } from "./context.js";
import { type Reply, toReply } from "./reply.js";
import { CONCURRENCY_ASYNC, NoEntryError, type Runtime } from "./runtime.js";

type NodejsHandler = (req: NodejsRequest, res: NodejsResponse) => unknown;

/** tinyFaaS's contract for Node: `module.exports = (req, res) => …` in the style of Express. */
export function nodejsRuntime(code: Readonly<Record<string, unknown>>): Runtime {
  const handler = code["default"] ?? code["module.exports"];
  if (typeof handler !== "function") {
    throw new NoEntryError("the code does not export a function (req, res)");
  }
  return {
    concurrency: CONCURRENCY_ASYNC,
    start: (view, context) => startNodejs(handler as NodejsHandler, view, context),
  };
}

/** What the handler reads. The body is always text. */
interface NodejsRequest {
  readonly body: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly url: string;
  readonly query: Readonly<Record<string, string>>;
  get(name: string): string | undefined;
}

function startNodejs(
  handler: NodejsHandler,
  view: InvokeView,
  context: CallContext,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const response = new NodejsResponse(resolve);
    const result = handler(toRequest(view, context), response);
    // Only a failure counts: the answer comes by `res`, maybe long after the handler returned.
    if (result instanceof Promise) result.catch(reject);
  });
}

function toRequest(view: InvokeView, context: CallContext): NodejsRequest {
  const path = view.path || "/";
  const { headers } = context;
  return {
    body: context.text(),
    method: view.method,
    headers,
    path,
    url: view.query === "" ? path : `${path}?${view.query}`,
    query: Object.fromEntries(context.query),
    get: (name) => headers[name.toLowerCase()],
  };
}

/** What the handler answers with. The first `send`, `json` or `end` counts. */
class NodejsResponse {
  readonly #answer: (reply: Reply) => void;
  readonly #headers = new Map<string, string>();
  readonly #written: (string | Uint8Array)[] = [];
  statusCode = 200;
  headersSent = false;

  constructor(answer: (reply: Reply) => void) {
    this.#answer = answer;
  }

  status(code: number): this {
    this.statusCode = code;
    return this;
  }

  set(name: string | Readonly<Record<string, unknown>>, value?: unknown): this {
    const pairs = typeof name === "string" ? [[name, value] as const] : Object.entries(name);
    for (const [header, text] of pairs) this.#headers.set(header.toLowerCase(), String(text));
    return this;
  }

  header(name: string | Readonly<Record<string, unknown>>, value?: unknown): this {
    return this.set(name, value);
  }

  setHeader(name: string, value: unknown): this {
    return this.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  getHeader(name: string): string | undefined {
    return this.get(name);
  }

  type(contentType: string): this {
    return this.set("content-type", contentType);
  }

  writeHead(status: number, headers: Readonly<Record<string, unknown>> = {}): this {
    return this.status(status).set(headers);
  }

  write(part: string | Uint8Array): boolean {
    this.#written.push(part);
    return true;
  }

  send(body?: unknown): this {
    return this.#finish(body);
  }

  json(body: unknown): this {
    if (!this.#headers.has("content-type")) this.set("content-type", "application/json");
    return this.#finish(JSON.stringify(body));
  }

  sendStatus(code: number): this {
    return this.status(code).#finish(String(code));
  }

  end(body?: string | Uint8Array): this {
    if (this.#written.length === 0) return this.#finish(body);
    if (body !== undefined) this.#written.push(body);
    return this.#finish(Buffer.concat(this.#written.map((part) => Buffer.from(part as string))));
  }

  #finish(body: unknown): this {
    if (this.headersSent) throw new Error("the response was sent already");
    this.headersSent = true;
    this.#answer(toReply(body, this.statusCode, this.#headers));
    return this;
  }
}
