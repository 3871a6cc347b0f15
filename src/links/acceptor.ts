import { constants } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";

import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import { closePolitely, type LinkSocket } from "./connection.js";
import {
  checkIdentity,
  checkSkew,
  chooseVersion,
  encodeHandshake,
  readHello,
  readReady,
  Refusal,
  type Hello,
} from "./handshake.js";
import { certifiedNode, tlsOptions } from "./identity.js";
import type { OnceLog } from "./once-log.js";
import type { LinkOptions } from "./options.js";
import { CLOSE, LINK_PATH } from "./wire.js";
import { WEB_SOCKET_OPTIONS } from "./web-socket-options.js";

/** Connections that have not become links; more are cut at once. */
const STRANGERS_MAX = 256;
/** Peer of causes that are told before a certificate was seen. */
const NOBODY = "(unknown)";

/** Decides about those who dial this node. */
export interface Host {
  /** What a welcome says of this process. */
  readonly process: string;
  readonly attempt: number;
  /** Takes note of a dial that is about to be welcomed; `cut` ends it. @throws Refusal */
  admit(hello: Hello, cut: () => void): void;
  /** The link is open. */
  adopt(hello: Hello, link: LinkSocket): void;
  /** A dial that was admitted came to nothing. */
  dropped(node: NodeName, cut: () => void): void;
}

/** Takes connections of other nodes and opens links on them. */
export class Acceptor {
  readonly #options: LinkOptions;
  readonly #host: Host;
  readonly #log: OnceLog;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({
    ...WEB_SOCKET_OPTIONS,
    noServer: true,
    clientTracking: false,
  });
  readonly #sockets = new Set<Socket>();
  /** Open links among them. */
  #linksTotal = 0;

  constructor(options: LinkOptions, host: Host, log: OnceLog) {
    this.#options = options;
    this.#host = host;
    this.#log = log;
    const { credentials, timing } = options;
    this.#server =
      credentials === undefined
        ? createHttpServer()
        : createHttpsServer({
            ...tlsOptions(credentials),
            requestCert: true,
            // why not here: TLS would cut the connection without a word about the cause.
            rejectUnauthorized: false,
            secureOptions: constants.SSL_OP_NO_TICKET,
            handshakeTimeout: timing.handshakeTimeoutMs,
          });
    this.#server.on("connection", (socket: Socket) => this.#count(socket));
    this.#server.on(credentials ? "secureConnection" : "connection", (socket: Socket) => {
      if (this.#isTrusted(socket)) this.#limitTime(socket);
      else this.#refuse(NOBODY, (socket as TLSSocket).authorizationError, socket);
    });
    this.#server.on("tlsClientError", (error: Error, socket: Socket) => {
      this.#refuse(NOBODY, error, socket);
    });
    this.#server.on("clientError", (error, socket) =>
      this.#refuse(NOBODY, error, socket as Socket),
    );
    this.#server.on("request", (_request, response) => {
      response
        .writeHead(426, { connection: "close" })
        .end("this port is for links between nodes\n");
    });
    this.#server.on("upgrade", (request, socket, head) => {
      this.#upgrade(request, socket as Socket, head);
    });
  }

  /** Starts to listen and gives the port. @throws EnokiError `ENOKI_PORT_IN_USE` */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE" || error.code === "EACCES";
        const what = error.code === "EACCES" ? "not allowed" : "occupied";
        const detail = `port ${port} (--link-port) on ${host} is ${what}`;
        reject(isTaken ? new EnokiError("ENOKI_PORT_IN_USE", detail) : error);
      });
      this.#server.listen({ host, port }, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and cuts what has not become a link. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  #count(socket: Socket): void {
    if (this.#sockets.size - this.#linksTotal >= STRANGERS_MAX) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** The whole handshake has to be over in time, however lively the peer is. */
  #limitTime(socket: Socket): void {
    const { timers, timing } = this.#options;
    const cancel = timers.after(timing.handshakeTimeoutMs, () => socket.destroy());
    socket.once("close", cancel);
    this.#timeLimits.set(socket, cancel);
  }

  readonly #timeLimits = new WeakMap<Socket, () => void>();

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (request.url !== LINK_PATH || !this.#isTrusted(socket)) {
      socket.destroy();
      return;
    }
    socket.on("error", () => socket.destroy());
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#greet({ webSocket, socket });
    });
  }

  #greet(link: LinkSocket): void {
    const { webSocket, socket } = link;
    const certified = this.#certified(socket);
    let peer: string = certified ?? NOBODY;
    const refuse = (error: unknown): void => {
      if (!(error instanceof Refusal)) throw error;
      if (error.code !== CLOSE.crossed) this.#log.warn(peer, String(error.code), error.message);
      closePolitely(webSocket, error);
    };
    webSocket.on("error", (error) => this.#refuse(peer, error, socket));
    webSocket.once("message", (data) => {
      try {
        if (this.#options.credentials !== undefined && certified === undefined) {
          throw new Refusal(CLOSE.identity, "the certificate names no node");
        }
        const hello = readHello(data as Buffer);
        peer = certified ?? hello.node;
        this.#welcome(link, hello, certified, refuse);
      } catch (error) {
        refuse(error);
      }
    });
  }

  #welcome(
    link: LinkSocket,
    hello: Hello,
    certified: NodeName | undefined,
    refuse: (error: unknown) => void,
  ): void {
    const { webSocket, socket } = link;
    const { node, clock, timing } = this.#options;
    const protocol = chooseVersion(hello.protocols);
    checkIdentity(certified, hello.node);
    if (hello.to !== node) {
      throw new Refusal(CLOSE.identity, `this is ${node}, and it wants ${hello.to}`);
    }
    if (hello.node === node) throw new Refusal(CLOSE.identity, `it says that it is ${node} too`);
    const cut = (): void => webSocket.terminate();
    const dropped = (): void => this.#host.dropped(hello.node, cut);
    this.#host.admit(hello, cut);
    webSocket.on("close", dropped);
    const sentMs = clock.monotonicMs();
    webSocket.once("message", (data) => {
      try {
        const { nowMs } = readReady(data as Buffer);
        const latestMs = clock.monotonicMs();
        checkSkew({ nowMs, earliestMs: sentMs, latestMs }, clock, timing.maxSkewMs);
      } catch (error) {
        refuse(error);
        return;
      }
      this.#timeLimits.get(socket)?.();
      this.#linksTotal += 1;
      socket.once("close", () => (this.#linksTotal -= 1));
      this.#host.adopt(hello, link);
    });
    const { process, attempt } = this.#host;
    const nowMs = clock.nowMs();
    webSocket.send(encodeHandshake({ type: "welcome", protocol, node, process, attempt, nowMs }));
  }

  /** Whether the peer showed a certificate of the authority, or none is asked for. */
  #isTrusted(socket: Socket): boolean {
    return this.#options.credentials === undefined || (socket as TLSSocket).authorized;
  }

  #certified(socket: Socket): NodeName | undefined {
    if (this.#options.credentials === undefined) return undefined;
    return certifiedNode((socket as TLSSocket).getPeerX509Certificate()?.subjectAltName);
  }

  #refuse(peer: string, error: NodeJS.ErrnoException, socket: Socket): void {
    // Node gives the code alone where a certificate is not trusted.
    const { code, message } = typeof error === "string" ? { code: error, message: error } : error;
    // A connection that is opened and closed again, as by a health check, is no news.
    if (code !== "ECONNRESET" && code !== "EPIPE") this.#log.warn(peer, code ?? message, message);
    socket.destroy();
  }
}
