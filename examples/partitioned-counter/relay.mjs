import { connect, createServer } from "node:net";

/** A TCP relay to a port of this machine: what goes through it can be cut, and mended. */
export class Relay {
  #server;
  #sockets = new Set();
  #isCut = false;

  constructor(targetPort) {
    this.#server = createServer((client) => {
      if (this.#isCut) return client.destroy();
      const target = connect(targetPort, "127.0.0.1");
      for (const [from, to] of [
        [client, target],
        [target, client],
      ]) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** Resolves with the port that it listens on. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this.#server.address().port;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
