import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import { EnokiError } from "../../core/errors.js";
import type { Timers } from "../../ports/timers.js";
import { showBroker, type MqttAddress } from "./mqtt-address.js";
import { PacketReader } from "./packet-reader.js";
import {
  encodeBare,
  encodeConnect,
  encodePuback,
  encodeSubscribe,
  MalformedPacket,
  PACKET,
  type BrokerPacket,
  type Publish,
} from "./packets.js";

/** What one connection to a broker is made of. */
export interface MqttConnectionOptions {
  readonly address: MqttAddress;
  readonly clientId: string;
  /** The broker forgets what it has kept for this client, and keeps nothing. */
  readonly isClean: boolean;
  /** What a message may have, with its topic; of a larger one the payload is left out. */
  readonly packetBytesMax: number;
  readonly timers: Timers;
}

/** What a connection tells. Nothing follows `closed`. */
export interface MqttConnectionEvents {
  /** The broker takes us. `hasSession`: it knows this client, and what that has subscribed to. */
  connected(hasSession: boolean): void;
  subscribed(): void;
  message(message: Publish): void;
  /** `ENOKI_MQTT_REFUSED` or `ENOKI_MQTT_UNREACHABLE`; never with a secret in it. */
  closed(error: EnokiError): void;
}

const KEEP_ALIVE_SECONDS = 60;
const PING_INTERVAL_MS = 30_000;
/** From the first SYN until the broker has taken us, and for the answer to a subscription. */
const ANSWER_TIMEOUT_MS = 10_000;
const SUBSCRIBE_ID = 1;

/** MQTT 3.1.1, section 3.2.2.3. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: "it does not speak MQTT 3.1.1",
  2: "it does not take the client id",
  3: "it is not available",
  4: "user or password are wrong",
  5: "this user may not connect",
};
const UNAVAILABLE = 3;

/** One connection to a broker, as a subscriber: MQTT 3.1.1 over TCP or TLS. */
export class MqttConnection {
  readonly #options: MqttConnectionOptions;
  readonly #events: MqttConnectionEvents;
  readonly #socket: Socket;
  readonly #reader: PacketReader;
  #stopTimer: () => void;
  #isClosed = false;
  #isPaused = false;
  /** Whether anything has arrived since the last ping. */
  #isAlive = true;

  /** Connects at once. */
  constructor(options: MqttConnectionOptions, events: MqttConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#reader = new PacketReader(options.packetBytesMax);
    this.#stopTimer = this.#expect("to connect");
    const { address, clientId, isClean } = options;
    const { host, port, user, password } = address;
    const keepAliveSeconds = KEEP_ALIVE_SECONDS;
    this.#socket = address.isSecure
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) })
      : connectTcp({ host, port });
    this.#socket.setNoDelay(true);
    this.#socket.on(address.isSecure ? "secureConnect" : "connect", () => {
      this.#socket.write(encodeConnect({ clientId, user, password, isClean, keepAliveSeconds }));
    });
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      // Of a name with several addresses only the code says what was wrong.
      this.#fail("ENOKI_MQTT_UNREACHABLE", error.message || (error.code ?? "it does not answer"));
    });
    this.#socket.on("close", () => {
      this.#fail("ENOKI_MQTT_UNREACHABLE", "it has closed the connection");
    });
  }

  /** Asks for the messages of the address. */
  subscribe(): void {
    this.#stopTimer();
    this.#stopTimer = this.#expect("to be subscribed");
    this.#socket.write(encodeSubscribe(SUBSCRIBE_ID, this.#options.address.filter));
  }

  /** Tells the broker that a message is kept here; it must be in the order in which they came. */
  acknowledge(packetId: number): void {
    if (!this.#isClosed) this.#socket.write(encodePuback(packetId));
  }

  /** Reads no more, so that the broker has to wait; or goes on. */
  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused || this.#isClosed) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Says goodbye; nothing is told any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopTimer();
    this.#socket.end(encodeBare(PACKET.disconnect));
    this.#options.timers.after(1000, () => this.#socket.destroy());
    // The rest goes unread: without this, what was paused would never see the end.
    this.#socket.resume();
  }

  #read(chunk: Buffer): void {
    this.#isAlive = true;
    try {
      for (const packet of this.#reader.push(chunk)) {
        if (this.#isClosed) return;
        this.#take(packet);
      }
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error;
      this.#fail("ENOKI_MQTT_UNREACHABLE", `it does not speak MQTT: ${error.message}`);
    }
  }

  #take(packet: BrokerPacket): void {
    switch (packet.kind) {
      case "publish":
        this.#events.message(packet);
        return;
      case "connack":
        if (packet.code !== 0) this.#refused(packet.code);
        else {
          this.#pingLater();
          this.#events.connected(packet.hasSession);
        }
        return;
      case "suback":
        this.#pingLater();
        if (packet.isGranted) this.#events.subscribed();
        else this.#fail("ENOKI_MQTT_REFUSED", "it does not let us subscribe to the topic");
        return;
      case "pingresp":
    }
  }

  #refused(code: number): void {
    const reason = REFUSALS[code] ?? `it answers with code ${code}`;
    this.#fail(code === UNAVAILABLE ? "ENOKI_MQTT_UNREACHABLE" : "ENOKI_MQTT_REFUSED", reason);
  }

  #expect(what: string): () => void {
    return this.#options.timers.after(ANSWER_TIMEOUT_MS, () => {
      const seconds = ANSWER_TIMEOUT_MS / 1000;
      this.#fail("ENOKI_MQTT_UNREACHABLE", `it took longer than ${seconds} s ${what}`);
    });
  }

  #pingLater(): void {
    this.#stopTimer();
    this.#stopTimer = this.#options.timers.after(PING_INTERVAL_MS, () => this.#ping());
  }

  /** While we do not read, the answers lie unread: nothing can be said of the broker then. */
  #ping(): void {
    if (!this.#isAlive && !this.#isPaused) {
      this.#fail("ENOKI_MQTT_UNREACHABLE", "it does not answer any more");
      return;
    }
    this.#isAlive = false;
    this.#socket.write(encodeBare(PACKET.pingreq));
    this.#pingLater();
  }

  #fail(code: "ENOKI_MQTT_UNREACHABLE" | "ENOKI_MQTT_REFUSED", reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopTimer();
    this.#socket.destroy();
    const broker = showBroker(this.#options.address);
    this.#events.closed(new EnokiError(code, `the broker ${broker}: ${reason}`));
  }
}
