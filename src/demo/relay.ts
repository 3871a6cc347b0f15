import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/**
 * A way over loopback to one port: a link that runs through it can be cut and healed. Nodes come
 * through it once it is what they are told of one another (`--advertise`).
 */
export class Relay {
  readonly #server: Server;
  readonly #target: () => number | undefined;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: () => number | undefined) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens on a free port. `target`: the port to go to, asked at each connection. */
  static async open(target: () => number | undefined): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  /** `HOST:PORT`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections and takes none. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  heal(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const port = this.#isCut ? undefined : this.#target();
    if (port === undefined) {
      client.destroy();
      return;
    }
    const service = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, service],
      [service, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay();
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
