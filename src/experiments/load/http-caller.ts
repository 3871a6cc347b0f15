import { connect, type Socket } from "node:net";

import { AnswerReader, NOTHING, type Answer } from "./answer-reader.js";

/** A request, without what every request needs. */
export interface CallerRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * How a caller uses its connections: `kept` = each serves one request after the other, as many as are
 * needed at once; `fresh` = each serves one, as the client of the prototype had it.
 */
export type Connections = "kept" | "fresh";

/** Where a caller's requests go. */
export interface CallerOptions {
  /** On loopback. */
  readonly port: number;
  readonly connections: Connections;
  /** Without a sign of the server for so long there is no answer. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
/** Node closes a connection that was idle for 5 s; the news takes a while over a slow link. */
const IDLE_MAX_MS = 2000;

interface Exchange {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  idleSinceMs: number;
  answered: ((answer: Answer) => void) | undefined;
}

/** Sends requests to one port, over HTTP/1.1. */
export class HttpCaller {
  readonly #options: CallerOptions;
  readonly #open = new Set<Exchange>();
  readonly #idle: Exchange[] = [];

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Sends a request, at once; resolves with its answer, or with the status 0. */
  call(request: CallerRequest): Promise<Answer> {
    return new Promise((resolve) => {
      const exchange = this.#takeIdle() ?? this.#connect();
      exchange.answered = resolve;
      exchange.socket.write(encodeRequest(request, this.#options.connections));
    });
  }

  /** Closes all connections; requests under way get the status 0. */
  close(): void {
    for (const { socket } of this.#open) socket.destroy();
  }

  /** The connection that was used last; the others have been idle for longer. */
  #takeIdle(): Exchange | undefined {
    const last = this.#idle.pop();
    if (!last || performance.now() - last.idleSinceMs < IDLE_MAX_MS) return last;
    for (const { socket } of [...this.#idle.splice(0), last]) socket.destroy();
    return undefined;
  }

  #connect(): Exchange {
    const { port, timeoutMs = TIMEOUT_MS } = this.#options;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const reader = new AnswerReader();
    const exchange: Exchange = { socket, reader, idleSinceMs: 0, answered: undefined };
    this.#open.add(exchange);
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#receive(exchange, chunk));
    socket.on("end", () => this.#settle(exchange, exchange.reader.end() ?? NOTHING));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#gone(exchange));
    return exchange;
  }

  #receive(exchange: Exchange, chunk: Buffer): void {
    const answer = exchange.reader.push(chunk);
    if (!answer) return;
    if (answer.isKept && this.#options.connections === "kept") {
      exchange.idleSinceMs = performance.now();
      this.#idle.push(exchange);
    } else exchange.socket.destroy();
    this.#settle(exchange, answer);
  }

  #gone(exchange: Exchange): void {
    this.#open.delete(exchange);
    const at = this.#idle.indexOf(exchange);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#settle(exchange, NOTHING);
  }

  #settle(exchange: Exchange, { status, body }: Answer): void {
    const { answered } = exchange;
    exchange.answered = undefined;
    answered?.({ status, body });
  }
}

function encodeRequest(request: CallerRequest, connections: Connections): string | Buffer {
  const { method, path, body = "", headers = {} } = request;
  const length = Buffer.byteLength(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    `connection: ${connections === "kept" ? "keep-alive" : "close"}`,
    ...(method === "POST" ? [`content-length: ${length}`] : []),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const head = `${lines.join("\r\n")}\r\n\r\n`;
  return typeof body === "string" ? head + body : Buffer.concat([Buffer.from(head), body]);
}
