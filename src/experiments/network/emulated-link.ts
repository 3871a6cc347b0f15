import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { Flow } from "./flow.js";
import type { LinkShape } from "./link-shape.js";
import { PreciseAlarm } from "./precise-alarm.js";

const HOST = "127.0.0.1";

/** How an {@link EmulatedLink} is opened. */
export interface EmulatedLinkOptions {
  readonly shape: LinkShape;
  /** The port on loopback that it leads to, asked at each connection. */
  readonly target: () => number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * A link between two places on one machine, for kernels that cannot delay packets: a port on loopback
 * behind which every byte takes its time to another port. A new connection costs a round trip before
 * its first byte leaves, as the handshake of TCP does. What a cut link was given waits for its mending,
 * as TCP would send it again.
 */
export class EmulatedLink {
  readonly #options: EmulatedLinkOptions;
  readonly #server: Server;
  readonly #there: Flow;
  readonly #back: Flow;
  readonly #alarm: PreciseAlarm;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(options: EmulatedLinkOptions) {
    this.#options = options;
    const { shape, random } = options;
    this.#alarm = new PreciseAlarm(() => this.#deliver());
    const changed = (): void => this.#arm();
    this.#there = new Flow(shape, random, changed);
    this.#back = new Flow(shape, random, changed);
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Listens on a free port of loopback. */
  static async open(options: EmulatedLinkOptions): Promise<EmulatedLink> {
    const link = new EmulatedLink(options);
    await new Promise<void>((resolve, reject) => {
      link.#server.once("error", reject);
      link.#server.listen(0, HOST, resolve);
    });
    return link;
  }

  /** The port that leads to the other place. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets nothing through, either way. */
  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
    this.#deliver();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#alarm.close();
  }

  #accept(client: Socket): void {
    const service = connect({ port: this.#options.target(), host: HOST, allowHalfOpen: true });
    for (const socket of [client, service]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    const handshakeMs = 2 * this.#options.shape.delayMs;
    this.#there.carry(client, service, performance.now() + handshakeMs);
    this.#back.carry(service, client, performance.now());
  }

  #deliver(): void {
    if (this.#isCut) return;
    const nowMs = performance.now();
    this.#there.deliver(nowMs);
    this.#back.deliver(nowMs);
    this.#arm();
  }

  #arm(): void {
    const nextMs = Math.min(this.#there.nextMs, this.#back.nextMs);
    if (!this.#isCut && nextMs !== Infinity) this.#alarm.set(nextMs);
  }
}
