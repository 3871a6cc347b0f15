import { once } from "node:events";
import { onTestFinished } from "vitest";
import { WebSocket, type ClientOptions } from "ws";

import type { Hello } from "../../../src/links/handshake.js";
import type { LinkCredentials } from "../../../src/links/identity.js";
import { credentialsOf, type LinkedNode } from "./node-links.js";

/** How a WebSocket ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A peer that says what a test wants, good or bad. */
export interface RawPeer {
  readonly socket: WebSocket;
  /** Resolves with the end, whenever it was. */
  readonly closed: Promise<Closed>;
  /** The next message. */
  next(): Promise<Buffer>;
}

/** Whom to dial. */
export type Dialled = Pick<LinkedNode, "address" | "name">;

/** Connects to a node's port with some node's certificate, and says nothing yet. */
export async function rawPeer(
  to: Dialled,
  credentials: LinkCredentials = credentialsOf("raw"),
): Promise<RawPeer> {
  const options: ClientOptions = {
    ...credentials,
    checkServerIdentity: () => undefined as never,
    perMessageDeflate: false,
  };
  const socket = new WebSocket(`wss://${to.address}/enoki/link`, options);
  onTestFinished(() => socket.terminate());
  const messages: Buffer[] = [];
  const waiting: ((message: Buffer) => void)[] = [];
  socket.on("message", (data: Buffer) => {
    const waiter = waiting.shift();
    if (waiter) waiter(data);
    else messages.push(data);
  });
  const closed = new Promise<Closed>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await once(socket, "open");
  socket.on("error", () => {});
  const next = (): Promise<Buffer> => {
    const message = messages.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => waiting.push(resolve));
  };
  return { socket, closed, next };
}

/** A good hello of `raw`, changed as a test likes. */
export function helloTo(to: Dialled, changes: Partial<Record<keyof Hello, unknown>> = {}): string {
  return JSON.stringify({
    type: "hello",
    protocols: [2],
    node: "raw",
    to: to.name,
    process: "p",
    attempt: 1,
    nowMs: Date.now(),
    ...changes,
  });
}

/** Opens a link as `raw`, to break its rules afterwards. */
export async function rawLink(to: LinkedNode): Promise<RawPeer> {
  const peer = await rawPeer(to);
  peer.socket.send(helloTo(to));
  await peer.next();
  peer.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
  await to.seen.seen("up");
  return peer;
}
