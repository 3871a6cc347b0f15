import { connect, createServer, type Server, type Socket } from "node:net";

/** A way to a TCP service that can be cut and healed, and that may take time, for one client alone. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: () => number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isCut = false;
  /** How long each piece is under way, in either direction. */
  delayMs = 0;
  /** How much passes in either direction of each connection; what is more waits at its sender. */
  bytesPerSecond = Infinity;
  /** Told of every piece that a client sends; it may cut in answer. */
  onRequest: ((text: string) => void) | undefined;

  /** `target` is the port on loopback that is asked for at every connection. */
  constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return this;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Breaks all connections and takes none. */
  cut(): void {
    this.#isCut = true;
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy();
  }

  heal(): void {
    this.#isCut = false;
  }

  /** Lets requests through on the connections that stand, but no replies. */
  muteReplies(): void {
    for (const [, service] of this.#pairs) service.pause();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const service = connect(this.#target(), "127.0.0.1");
    const pair = [client, service] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [service, client] as const]) {
      from.on("data", (chunk) => {
        if (from === client) this.onRequest?.(chunk.toString("latin1"));
        if (this.delayMs === 0) to.write(chunk);
        else setTimeout(() => to.writable && to.write(chunk), this.delayMs);
        const takesMs = (chunk.length * 1000) / this.bytesPerSecond;
        if (takesMs >= 1) {
          from.pause();
          setTimeout(() => from.resume(), takesMs);
        }
      });
      from.on("error", () => {});
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
