import { createServer, connect as connectTcp, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { onTestFinished } from "vitest";

import {
  createAuthority,
  issueNodeCertificate,
  type Issued,
} from "../../../src/certs/certificates.js";
import { parseNodeName, type NodeName } from "../../../src/core/ids.js";
import type { LinkCredentials } from "../../../src/links/identity.js";
import { LINK_TIMING, type LinkOptions, type LinkTiming } from "../../../src/links/options.js";
import { openWebSocketLinks, type WebSocketLinks } from "../../../src/links/web-socket.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger, type Logger } from "../../../src/ports/logger.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { createTurn } from "../../../src/ports/turn.js";
import { LinkRecorder } from "../../../src/testing/links-recorder.js";

const YEAR_MS = 365 * 86_400_000;

/** An authority for one test file. */
export const authority = createAuthority({ nowMs: Date.now(), validMs: YEAR_MS });

/** Short waits, so that a test of what takes seconds takes less. */
export const FAST: LinkTiming = { ...LINK_TIMING, heartbeatMs: 100, retryMs: 10, retryMaxMs: 200 };

/** What `name` proves its name with. */
export function credentialsOf(name: string, ca: Issued = authority): LinkCredentials {
  const made = issueNodeCertificate(ca, {
    node: parseNodeName(name),
    hosts: [],
    nowMs: Date.now(),
    validMs: YEAR_MS,
  });
  return { ...made, ca: ca.cert };
}

/** Keeps the warnings and errors of a node. */
export class KeptLog implements Logger {
  readonly lines: string[] = [];
  readonly #waiters = new Set<() => void>();

  debug(): void {}
  info(): void {}

  warn(fields: object, message: string): void {
    this.lines.push(`${JSON.stringify(fields)} ${message}`);
    for (const look of this.#waiters) look();
  }

  error(fields: object, message: string): void {
    this.warn(fields, message);
  }

  /** Resolves with the first line that matches. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }
}

/** The options of a node on loopback with mutual TLS. */
export function linkOptions(name: string, changes: Partial<LinkOptions> = {}): LinkOptions {
  return {
    node: parseNodeName(name),
    listen: { host: "127.0.0.1", port: 0 },
    credentials: credentialsOf(name),
    clock: systemClock,
    timers: systemTimers,
    turn: createTurn(),
    logger: silentLogger,
    random: Math.random,
    timing: FAST,
    ...changes,
  };
}

/** A node under test, whose events are kept. */
export interface LinkedNode {
  readonly name: NodeName;
  readonly links: WebSocketLinks;
  readonly seen: LinkRecorder;
  readonly log: KeptLog;
  readonly address: string;
}

/** Opens a node that is closed when the test is over. */
export async function startNode(
  name: string,
  changes: Partial<LinkOptions> = {},
): Promise<LinkedNode> {
  const log = new KeptLog();
  const links = await openWebSocketLinks(linkOptions(name, { logger: log, ...changes }));
  onTestFinished(() => links.close());
  const seen = new LinkRecorder();
  links.listen(seen);
  return { name: parseNodeName(name), links, seen, log, address: `127.0.0.1:${links.port}` };
}

/** Has `from` dial `to`, and waits until both are linked. */
export async function link(from: LinkedNode, to: LinkedNode): Promise<void> {
  from.links.setTarget(to.name, [to.address]);
  await Promise.all([
    from.seen.seen("up", from.seen.count("down", to.name) + 1, to.name),
    to.seen.seen("up", to.seen.count("down", from.name) + 1, from.name),
  ]);
}

/** A TCP proxy that a test can cut and stall. */
export interface Proxy {
  readonly address: string;
  /** Bytes and pieces that went from the dialling to the dialled node. */
  readonly forward: { bytes: number; pieces: number };
  /** Ends all connections, and refuses further ones until {@link heal}. */
  cut(): void;
  heal(): void;
  /** Forwards nothing any more, and tells nobody. */
  stall(): void;
  close(): Promise<void>;
}

/** Opens a proxy in front of an address. */
export async function openProxy(target: string): Promise<Proxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const forward = { bytes: 0, pieces: 0 };
  let isCut = false;
  let isStalled = false;
  const pipe = (from: Socket, to: Socket, onData: (chunk: Buffer) => void): void => {
    sockets.add(from);
    from.on("data", (chunk) => {
      if (isStalled) return;
      onData(chunk);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      if (!isStalled) to.destroy();
    });
  };
  const server = createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    const onward = connectTcp({ host, port: Number(port) });
    pipe(socket, onward, (chunk) => {
      forward.bytes += chunk.length;
      forward.pieces += 1;
    });
    pipe(onward, socket, () => {});
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    cut();
    server.close();
    await once(server, "close");
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    forward,
    cut,
    heal: () => {
      isCut = false;
      isStalled = false;
    },
    stall: () => (isStalled = true),
    close,
  };
}
