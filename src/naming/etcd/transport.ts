import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

import type { Timers } from "../../ports/timers.js";
import { type EtcdEndpoint, showEndpoint } from "./address.js";
import { EtcdFailure, failureOfAnswer } from "./failure.js";

/** How a connection is secured. */
export interface EtcdTls {
  /** PEM of the authorities; `undefined` = the system's. */
  readonly ca?: string | undefined;
  /** PEM of our own certificate and its key, where etcd asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** One request to etcd's gateway. */
export interface EtcdRequest {
  readonly endpoint: EtcdEndpoint;
  readonly path: string;
  readonly body: string;
  readonly token: string | undefined;
  readonly deadlineMs: number;
}

/** A streamed answer, one JSON text per line. */
export interface EtcdStream {
  readonly endpoint: EtcdEndpoint;
  /** Called for every line, then once for the end. Set in the turn in which the stream is given. */
  read(onLine: (line: string) => void, onEnd: (failure: EtcdFailure) => void): void;
  close(): void;
}

const CONNECT_MS_MAX = 1000;
/** Beyond it an answer is not etcd's, or not of records as small as ours. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** Sends single requests to single members over HTTP/1.1 connections that are kept. */
export class EtcdTransport {
  static readonly idleConnectionsMax = 4;
  readonly #tls: EtcdTls | undefined;
  readonly #timers: Timers;
  readonly #agent: HttpAgent;

  constructor(tls: EtcdTls | undefined, timers: Timers) {
    this.#tls = tls;
    this.#timers = timers;
    const options = { keepAlive: true, maxFreeSockets: EtcdTransport.idleConnectionsMax };
    this.#agent =
      tls === undefined ? new HttpAgent(options) : new HttpsAgent({ ...options, ...tls });
  }

  /** The text of a whole answer with status 200. @throws EtcdFailure */
  async send(request: EtcdRequest): Promise<string> {
    return this.#within(request, async (answer) => {
      const body = await readAll(answer);
      if (answer.statusCode === 200) return body;
      throw failureOfAnswer(showEndpoint(request.endpoint), answer.statusCode ?? 0, body);
    });
  }

  /** An answer that goes on; the deadline is for its beginning. @throws EtcdFailure */
  async stream(request: EtcdRequest): Promise<EtcdStream> {
    const member = showEndpoint(request.endpoint);
    return this.#within(request, async (answer) => {
      if (answer.statusCode !== 200) {
        throw failureOfAnswer(member, answer.statusCode ?? 0, await readAll(answer));
      }
      return { endpoint: request.endpoint, ...linesOf(answer, member) };
    });
  }

  /** What to look at when a member just breaks a new connection: it may be that it wants more. */
  get #hint(): string {
    if (this.#tls === undefined) return "; if it wants TLS, say etcds:// or --naming-ca-file";
    return this.#tls.cert === undefined ? "; if it wants a certificate, --naming-cert-file" : "";
  }

  /** Closes every connection, also those in use. */
  close(): void {
    this.#agent.destroy();
  }

  async #within<T>(
    request: EtcdRequest,
    receive: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const member = showEndpoint(request.endpoint);
    const outgoing = this.#open(request);
    let isConnected = false;
    const fail = (reason: string): EtcdFailure => {
      const isReset = /^(?:ECONNRESET|EPIPE)$/.test(reason);
      const hint = isReset && !outgoing.reusedSocket ? this.#hint : "";
      return new EtcdFailure(
        isConnected ? "lost" : "unsent",
        `${member}: ${reason}${hint}`,
        undefined,
        isReset && outgoing.reusedSocket,
      );
    };
    const stops: (() => void)[] = [];
    const expire = (afterMs: number, reason: string): void => {
      stops.push(this.#timers.after(afterMs, () => outgoing.destroy(new Error(reason))));
    };
    expire(request.deadlineMs, `no answer within ${request.deadlineMs} ms`);
    try {
      return await new Promise<T>((resolve, reject) => {
        outgoing.on("socket", (socket) => {
          if (!socket.connecting) {
            isConnected = true;
            return;
          }
          const connected = this.#tls === undefined ? "connect" : "secureConnect";
          const stop = this.#timers.after(Math.min(CONNECT_MS_MAX, request.deadlineMs), () => {
            if (!isConnected) outgoing.destroy(new Error("no connection"));
          });
          stops.push(stop);
          socket.once(connected, () => (isConnected = true));
        });
        outgoing.on("error", (error: NodeJS.ErrnoException) => {
          reject(refusalOf(member, error, isConnected) ?? fail(error.code ?? error.message));
        });
        outgoing.on("response", (answer) => {
          receive(answer).then(resolve, (error: unknown) => {
            reject(error instanceof EtcdFailure ? error : fail((error as Error).message));
          });
        });
        outgoing.end(request.body);
      });
    } finally {
      for (const stop of stops) stop();
    }
  }

  #open({ endpoint, path, token }: EtcdRequest): ClientRequest {
    const send = this.#tls === undefined ? httpRequest : httpsRequest;
    return send({
      host: endpoint.host,
      port: endpoint.port,
      path,
      method: "POST",
      agent: this.#agent,
      headers: {
        "content-type": "application/json",
        // A member that is cut off from the others ends its watches instead of falling silent.
        "grpc-metadata-hasleader": "true",
        ...(token !== undefined && { authorization: token }),
      },
    });
  }
}

/** A failed handshake is no passing failure: one of the two certificates is wrong. */
function refusalOf(
  member: string,
  error: NodeJS.ErrnoException,
  isConnected: boolean,
): EtcdFailure | undefined {
  const isOfTls = /^(?:ERR_TLS|ERR_SSL|CERT|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|EPROTO)/.test(
    error.code ?? "",
  );
  if (!isOfTls || (isConnected && error.code === "EPROTO")) {
    // A member that wants a certificate of ours says so after its side of the handshake.
    if (!/alert (?:bad certificate|certificate required)/.test(error.message)) return undefined;
  }
  return new EtcdFailure("refused", `${member}: TLS: ${error.message.split("\n", 1)[0]}`);
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function linesOf(answer: IncomingMessage, member: string): Omit<EtcdStream, "endpoint"> {
  const broken = (reason: string): EtcdFailure => new EtcdFailure("lost", `${member}: ${reason}`);
  let failure = broken("the stream ended");
  return {
    read(onLine, onEnd) {
      let pieces: Buffer[] = [];
      let sizeBytes = 0;
      answer.on("data", (chunk: Buffer) => {
        let start = 0;
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
          pieces.push(chunk.subarray(start, end));
          const line = Buffer.concat(pieces).toString("utf8");
          pieces = [];
          sizeBytes = 0;
          start = end + 1;
          if (line.trim() !== "") onLine(line);
        }
        pieces.push(chunk.subarray(start));
        sizeBytes += chunk.length - start;
        if (sizeBytes > ANSWER_BYTES_MAX) answer.destroy(new Error("a line is too long"));
      });
      answer.on("error", (error) => (failure = broken(error.message)));
      answer.on("close", () => onEnd(failure));
    },
    close: () => void answer.destroy(),
  };
}
