import type { IncomingMessage, Server, ServerResponse } from "node:http";

const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/**
 * Ends the connection of a request whose body stands still for `idleMs`. A body that moves may take
 * as long as it likes, since an import may be long; so Node's limit for a whole request is lifted.
 */
export function cutIdleBodies(server: Server, idleMs: number): void {
  server.requestTimeout = 0;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    let seenBytes = socket.bytesRead;
    const timer = setInterval(() => {
      if (request.complete || request.destroyed) {
        clearInterval(timer);
        return;
      }
      // What came and still waits to be read here is no fault of the client.
      const waitsForUs = request.readableLength > 0 && !response.writableEnded;
      const hasMoved = socket.bytesRead !== seenBytes;
      seenBytes = socket.bytesRead;
      if (hasMoved || waitsForUs) return;
      clearInterval(timer);
      if (socket.writable && !response.headersSent) socket.write(TIMED_OUT);
      request.destroy();
    }, idleMs).unref();
    request.once("close", () => clearInterval(timer));
  });
}
