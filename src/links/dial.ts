import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { WebSocket, type ClientOptions } from "ws";

import { isLoopback } from "../base/loopback.js";
import type { NodeName } from "../core/ids.js";
import { closePolitely, type LinkSocket } from "./connection.js";
import {
  checkIdentity,
  checkSkew,
  encodeHandshake,
  readWelcome,
  Refusal,
  type Welcome,
} from "./handshake.js";
import { identityCheck, tlsOptions, type LinkCredentials } from "./identity.js";
import type { LinkOptions } from "./options.js";
import { CLOSE, LINK_PATH, PROTOCOL_VERSIONS } from "./wire.js";
import { WEB_SOCKET_OPTIONS, zeroMask } from "./web-socket-options.js";

/** Whom to dial, and as what. */
export interface DialOptions {
  readonly links: LinkOptions;
  readonly address: string;
  readonly expected: NodeName;
  /** Names this process, and this dial of it. */
  readonly process: string;
  readonly attempt: number;
}

/** How a dial ends, unless it is aborted. */
export interface DialEvents {
  /** The link is open. */
  opened(link: LinkSocket, welcome: Welcome): void;
  failed(cause: Refusal): void;
}

/** One try to open a link to a node. */
export class Dial {
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  readonly #webSocket: WebSocket | undefined;
  readonly #cancelTimeout: () => void;
  #socket: Socket | undefined;
  #sentMs = 0;
  #isOver = false;

  /** From now on the peer may have seen this dial. */
  hasSentHello = false;

  constructor(options: DialOptions, events: DialEvents) {
    this.#options = options;
    this.#events = events;
    const { timers, timing } = options.links;
    this.#cancelTimeout = timers.after(timing.handshakeTimeoutMs, () => {
      this.#fail(new Refusal(CLOSE.timeout, `${options.address} does not answer`));
    });
    this.#webSocket = this.#open();
  }

  /** Ends the dial without a word. */
  abort(): void {
    if (this.#finish()) this.#webSocket?.terminate();
  }

  #open(): WebSocket | undefined {
    const { links, address, expected } = this.#options;
    let webSocket: WebSocket;
    try {
      webSocket = new WebSocket(linkUrl(address, links.credentials !== undefined), {
        ...WEB_SOCKET_OPTIONS,
        generateMask: zeroMask,
        ...(links.credentials && secureOptions(links.credentials, expected)),
      });
    } catch (error) {
      const cause = error instanceof Refusal ? error : new Refusal(CLOSE.malformed, String(error));
      queueMicrotask(() => this.#fail(cause));
      return undefined;
    }
    webSocket.on("upgrade", ({ socket }) => (this.#socket = socket));
    webSocket.on("open", () => this.#hello(webSocket));
    webSocket.on("message", (data) => this.#answer(webSocket, data as Buffer));
    webSocket.on("error", (error: NodeJS.ErrnoException) => {
      this.#fail(new Refusal(CLOSE.timeout, error.message || String(error.code)));
    });
    webSocket.on("close", (code, reason) => {
      this.#fail(new Refusal(code, `refused by the peer: ${reason.toString() || code}`));
    });
    return webSocket;
  }

  #hello(webSocket: WebSocket): void {
    const { links, expected, process, attempt } = this.#options;
    this.#sentMs = links.clock.monotonicMs();
    this.hasSentHello = true;
    const hello = encodeHandshake({
      type: "hello",
      protocols: [...PROTOCOL_VERSIONS],
      node: links.node,
      to: expected,
      process,
      attempt,
      nowMs: links.clock.nowMs(),
    });
    webSocket.send(hello);
  }

  #answer(webSocket: WebSocket, data: Buffer): void {
    const { links, expected } = this.#options;
    const { clock, timing } = links;
    try {
      const welcome = readWelcome(data);
      checkIdentity(expected, welcome.node);
      const reading = {
        nowMs: welcome.nowMs,
        earliestMs: this.#sentMs,
        latestMs: clock.monotonicMs(),
      };
      checkSkew(reading, clock, timing.maxSkewMs);
      webSocket.send(encodeHandshake({ type: "ready", nowMs: clock.nowMs() }));
      if (this.#finish()) {
        this.#events.opened({ webSocket, socket: this.#socket as Socket }, welcome);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      closePolitely(webSocket, error);
      this.#fail(error);
    }
  }

  #fail(cause: Refusal): void {
    if (!this.#finish()) return;
    if (this.#webSocket?.readyState !== WebSocket.CLOSING) this.#webSocket?.terminate();
    this.#events.failed(cause);
  }

  /** False if it was over already. */
  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#cancelTimeout();
    return true;
  }
}

function secureOptions(credentials: LinkCredentials, expected: NodeName): ClientOptions {
  const options: ConnectionOptions = {
    ...tlsOptions(credentials),
    checkServerIdentity: identityCheck(expected),
  };
  // why: the types of `ws` have another signature for the check than TLS, which does it.
  return options as object;
}

function linkUrl(address: string, isSecure: boolean): URL {
  if (!/^[^\s/?#@]+:\d{1,5}$/.test(address)) {
    throw new Refusal(CLOSE.malformed, `${JSON.stringify(address)} is no HOST:PORT`);
  }
  const url = new URL(`${isSecure ? "wss" : "ws"}://${address}${LINK_PATH}`);
  if (isSecure || isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) return url;
  const reason = `${address} is beyond this machine, and this node has no certificate`;
  throw new Refusal(CLOSE.identity, reason);
}
