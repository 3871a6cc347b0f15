import type { Server } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";

import { EnokiError } from "../core/errors.js";

/** Where to listen, and the flag that chooses the port. */
export interface FlaggedAddress {
  readonly host: string;
  readonly port: number;
  readonly flag: string;
}

/**
 * Starts to listen and gives the port.
 * @throws EnokiError `ENOKI_PORT_IN_USE` with the flag that chooses the port
 */
export async function listen(server: NetServer, address: FlaggedAddress): Promise<number> {
  const { host, port } = address;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(portRefusal(error, address)));
    server.listen({ host, port, backlog: 1024 }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** What is said when the system does not give a port; other errors stay as they are. */
export function portRefusal(
  error: NodeJS.ErrnoException,
  { host, port, flag }: FlaggedAddress,
): Error {
  const why = { EADDRINUSE: "occupied", EACCES: "not allowed" }[error.code ?? ""];
  if (why === undefined) return error;
  return new EnokiError("ENOKI_PORT_IN_USE", `port ${port} (${flag}) on ${host} is ${why}`);
}

/** How often connections are looked at that have become idle since their server closes. */
const IDLE_CHECK_MS = 20;

/** Stops listening, lets open exchanges end, and cuts what is left after `timeoutMs`. */
export async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // why: a connection whose last exchange ends only now would stay for its keep-alive time.
  const idleTimer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(idleTimer);
  clearTimeout(timer);
}

/** How a URL names a host: IPv6 in brackets, any-address as loopback. */
export function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
