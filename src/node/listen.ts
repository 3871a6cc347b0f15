import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { EnokiError } from "../core/errors.js";

/**
 * Starts to listen and gives the port.
 * @throws EnokiError `ENOKI_PORT_IN_USE` with the flag that chooses the port
 */
export async function listen(
  server: Server,
  address: { readonly host: string; readonly port: number; readonly flag: string },
): Promise<number> {
  const { host, port, flag } = address;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE" || error.code === "EACCES"
          ? new EnokiError(
              "ENOKI_PORT_IN_USE",
              `port ${port} (${flag}) on ${host} is ${error.code === "EACCES" ? "not allowed" : "occupied"}`,
            )
          : error,
      );
    });
    server.listen({ host, port, backlog: 1024 }, resolve);
  });
  return (server.address() as AddressInfo).port;
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
