import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { RelayedFlow, type Way } from "./relayed-flow.js";
import { ownerOf } from "../../../src/experiments/network/socket-owner.js";

interface Relay {
  readonly server: Server;
  /** Where other nodes are told that they find the node. */
  readonly port: number;
}

interface Connection {
  readonly ends: readonly [string, string];
  readonly sockets: readonly [Socket, Socket];
  readonly flows: readonly [RelayedFlow, RelayedFlow];
}

/**
 * The network between nodes on this machine: every link goes through a relay in front of the node that
 * is dialled. Each way from one node to another can be cut, held and slowed down for itself.
 */
export class LinkRelays {
  readonly #relays = new Map<string, Relay>();
  readonly #pids = new Map<string, number>();
  readonly #ways = new Map<string, Way>();
  readonly #cuts = new Set<string>();
  readonly #connections = new Set<Connection>();

  /** Opens the relay in front of a node, whose links are taken at `targetPort`. Returns its own port. */
  async add(node: string, targetPort: number): Promise<number> {
    const server = createServer((socket) => this.#accept(node, socket, targetPort));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    this.#relays.set(node, { server, port });
    return port;
  }

  /** Says which process the node is now. */
  setProcess(node: string, pid: number): void {
    this.#pids.set(node, pid);
  }

  /** Breaks all connections between two nodes, and every one that they try. */
  cut(left: string, right: string): void {
    this.#cuts.add(pairOf(left, right));
    for (const { ends, sockets } of this.#connections) {
      if (pairOf(...ends) === pairOf(left, right)) for (const socket of sockets) socket.destroy();
    }
  }

  /** Lets nothing pass from one node to the other; what comes back still does. */
  hold(from: string, to: string): void {
    this.#way(from, to).isHeld = true;
  }

  /** Has everything between two nodes take longer, in each direction. */
  slowDown(left: string, right: string, delayMs: number): void {
    this.#way(left, right).delayMs = delayMs;
    this.#way(right, left).delayMs = delayMs;
  }

  /** Ends all that is wrong. */
  heal(): void {
    this.#cuts.clear();
    for (const way of this.#ways.values()) Object.assign(way, { isHeld: false, delayMs: 0 });
    for (const { flows } of this.#connections) for (const flow of flows) flow.pump();
  }

  async close(): Promise<void> {
    for (const { sockets } of this.#connections) for (const socket of sockets) socket.destroy();
    await Promise.all(
      [...this.#relays.values()].map(
        ({ server }) => new Promise<void>((resolve) => server.close(() => resolve())),
      ),
    );
  }

  #accept(to: string, dialled: Socket, targetPort: number): void {
    dialled.on("error", () => {});
    const from = this.#whoDials(dialled);
    if (from === undefined || this.#cuts.has(pairOf(from, to))) {
      dialled.destroy();
      return;
    }
    const onward = connect(targetPort, "127.0.0.1");
    const connection: Connection = {
      ends: [from, to],
      sockets: [dialled, onward],
      flows: [
        new RelayedFlow(dialled, onward, this.#way(from, to)),
        new RelayedFlow(onward, dialled, this.#way(to, from)),
      ],
    };
    this.#connections.add(connection);
    for (const socket of connection.sockets) {
      socket.on("close", () => {
        if (connection.sockets.every(({ destroyed }) => destroyed)) {
          this.#connections.delete(connection);
        }
      });
    }
  }

  #whoDials(dialled: Socket): string | undefined {
    const pid = ownerOf(dialled, this.#pids.values());
    return [...this.#pids].find(([, known]) => known === pid)?.[0];
  }

  #way(from: string, to: string): Way {
    const name = `${from}>${to}`;
    const way = this.#ways.get(name) ?? { isHeld: false, delayMs: 0 };
    this.#ways.set(name, way);
    return way;
  }
}

function pairOf(left: string, right: string): string {
  return [left, right].sort().join("-");
}
