import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { PreciseAlarm } from "../precise-alarm.js";
import { Line } from "./line.js";
import type { LinkShape } from "./link-shape.js";
import { ownerOf } from "./socket-owner.js";

const HOST = "127.0.0.1";
/** Within a place nothing takes time. */
const SAME_PLACE: LinkShape = { delayMs: 0 };

/** What an {@link EmulatedNetwork} is like. */
export interface NetworkOptions {
  /** What lies between two places; asked once for each pair, the names in their order. */
  readonly shapeOf: (left: string, right: string) => LinkShape;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/**
 * Places on one machine and the links between them, for kernels that cannot delay packets. A service
 * of a place is reached by a port on loopback, behind which every byte takes its time. All
 * connections between two places share the link's rate.
 */
export class EmulatedNetwork {
  readonly #options: NetworkOptions;
  readonly #lines = new Map<string, Line>();
  readonly #places = new Map<number, string>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #alarm = new PreciseAlarm(() => this.#ring());
  /** For when the alarm is set. */
  #alarmMs = Infinity;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Says where a process is, before it dials. */
  settle(pid: number, place: string): void {
    this.#places.set(pid, place);
  }

  /**
   * Opens a port that leads to a service of a place, for processes that were settled; others are not
   * let through. `target`: the port of the service.
   */
  async openTo(place: string, target: number): Promise<number> {
    return await this.#listen(target, place, (client) => this.#placeOf(client));
  }

  /** Opens a port that leads from one place to a service of another, whoever dials it. */
  async openBetween(from: string, to: string, target: number): Promise<number> {
    return await this.#listen(target, to, () => from);
  }

  /** Lets nothing through between two places; what is sent waits for the mending. */
  cut(left: string, right: string): void {
    this.#line(left, right).cut();
  }

  mend(left: string, right: string): void {
    this.#line(left, right).mend();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers.splice(0)) {
      await new Promise((resolve) => server.close(resolve));
    }
    await this.#alarm.close();
  }

  async #listen(
    target: number,
    to: string,
    fromOf: (client: Socket) => string | undefined,
  ): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const from = fromOf(client);
      if (from === undefined) client.destroy();
      else this.#lead(client, from, to, target);
    });
    server.listen(0, HOST);
    await once(server, "listening");
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  #lead(client: Socket, from: string, to: string, port: number): void {
    const service = connect({ port, host: HOST, allowHalfOpen: true });
    for (const socket of [client, service]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.#line(from, to).carry({ client, service }, from <= to ? "left" : "right");
  }

  #placeOf(client: Socket): string | undefined {
    const pid = ownerOf(client, this.#places.keys());
    return pid === undefined ? undefined : this.#places.get(pid);
  }

  #line(one: string, other: string): Line {
    const [left, right] = one <= other ? [one, other] : [other, one];
    const name = `${left} ${right}`;
    let line = this.#lines.get(name);
    if (!line) {
      const shape = left === right ? SAME_PLACE : this.#options.shapeOf(left, right);
      const made = new Line(shape, this.#options.random, () => this.#arm(made.nextMs));
      this.#lines.set(name, (line = made));
    }
    return line;
  }

  /** why only an earlier time: setting the alarm wakes its thread. */
  #arm(atMs: number): void {
    if (atMs >= this.#alarmMs) return;
    this.#alarmMs = atMs;
    this.#alarm.set(atMs);
  }

  #ring(): void {
    this.#alarmMs = Infinity;
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const line of this.#lines.values()) {
      if (line.nextMs <= nowMs) line.deliver(nowMs);
      nextMs = Math.min(nextMs, line.nextMs);
    }
    this.#arm(nextMs);
  }
}
