import { EnokiError } from "../../core/errors.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import { showBroker, type MqttAddress } from "./mqtt-address.js";
import { MqttConnection } from "./mqtt-connection.js";
import { PendingMessages, type PendingMessage } from "./pending-messages.js";
import type { Publish } from "./packets.js";
import { retryDelayMs } from "../retry-delay.js";

/** A message of a broker, as a function gets it. */
export interface MqttMessage {
  readonly topic: string;
  readonly payload: Buffer;
  /** The broker may have sent it before. */
  readonly isRepeated: boolean;
  /** The broker had kept it from before. */
  readonly isRetained: boolean;
}

/** What a source of messages is made of. */
export interface MqttSourceOptions {
  /** The function, for the log. */
  readonly name: string;
  readonly address: MqttAddress;
  /** By which the broker knows the subscription, also after a restart: see {@link mqttClientId}. */
  readonly clientId: string;
  readonly payloadBytesMax: number;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /**
   * Resolves once the call of the function is stored. What it rejects is tried again, but for
   * `ENOKI_BODY_TOO_LARGE`.
   */
  readonly fire: (message: MqttMessage) => Promise<void>;
}

/** How a source is doing. */
export type SourceState =
  | { readonly kind: "starting" }
  | { readonly kind: "running" }
  /** It tries again by itself. */
  | { readonly kind: "failing"; readonly error: EnokiError };

const RECONNECT_MS = { first: 250, longest: 30_000 };
const REFIRE_MS = { first: 200, longest: 5_000 };
/** A connection that stood this long was no failed try. */
const STABLE_MS = 30_000;
/** A topic, its length and the id of a message. */
const HEAD_BYTES_MAX = 2 + 65_535 + 2;

/**
 * Messages of a broker that fit a filter, at least once each (QoS 1): one is acknowledged when its call
 * is stored, so what is under way when the node ends, or cannot be stored, stays with the broker. The
 * broker keeps the session: what comes while this node is away waits there, as much as it lets wait.
 */
export class MqttSource {
  readonly #options: MqttSourceOptions;
  readonly #pending: PendingMessages;
  #connection: MqttConnection | undefined;
  #state: SourceState = { kind: "starting" };
  #failedTries = 0;
  /** The broker has our subscription, unless it says that it has forgotten us. */
  #isSubscribed = false;
  #stopTimer: (() => void) | undefined;
  #isClosed = false;
  readonly #storing = new Set<Promise<void>>();
  #closeNow!: () => void;
  readonly #closing = new Promise<void>((resolve) => (this.#closeNow = resolve));

  /** Connects at once, and again and again until it is closed. */
  constructor(options: MqttSourceOptions) {
    this.#options = options;
    this.#pending = new PendingMessages({
      acknowledge: (packetId) => this.#connection?.acknowledge(packetId),
      hold: (isFull) => this.#connection?.pause(isFull),
    });
    this.#connect();
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Takes nothing more; resolves when what is being stored is stored. The broker goes on to keep messages. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#closeNow();
    await Promise.all(this.#storing);
    this.#connection?.close();
  }

  #connect(): void {
    const { address, clientId, payloadBytesMax, timers } = this.#options;
    const packetBytesMax = payloadBytesMax + HEAD_BYTES_MAX;
    const connection = new MqttConnection(
      { address, clientId, isClean: false, packetBytesMax, timers },
      {
        connected: (hasSession) => {
          this.#pending.connected(hasSession);
          // What is kept at the broker for a topic comes again with each subscription.
          if (hasSession && this.#isSubscribed) this.#running();
          else connection.subscribe();
        },
        subscribed: () => {
          this.#isSubscribed = true;
          this.#running();
        },
        message: (message) => this.#take(message),
        closed: (error) => this.#closed(error),
      },
    );
    this.#connection = connection;
  }

  #running(): void {
    const { logger, timers } = this.#options;
    logger.info({ ...this.#shown() }, "subscribed to the broker");
    this.#state = { kind: "running" };
    this.#stopTimer = timers.after(STABLE_MS, () => (this.#failedTries = 0));
  }

  #closed(error: EnokiError): void {
    const { logger, timers, random } = this.#options;
    this.#connection = undefined;
    this.#pending.cut();
    this.#stopTimer?.();
    if (this.#isClosed) return;
    const isNew = this.#state.kind !== "failing" || this.#state.error.code !== error.code;
    this.#state = { kind: "failing", error };
    const detail = { ...this.#shown(), code: error.code };
    if (isNew) logger.warn(detail, `no messages from a broker for now: ${error.message}`);
    const delayMs = retryDelayMs(this.#failedTries, RECONNECT_MS, random);
    this.#failedTries += 1;
    this.#stopTimer = timers.after(delayMs, () => this.#connect());
  }

  #take(message: Publish): void {
    if (this.#isClosed) return;
    const { payloadBytesMax } = this.#options;
    const pending = this.#pending.add(message);
    if (pending.isStored) return;
    if (message.sizeBytes > payloadBytesMax) {
      this.#drop(pending, message, `a call takes at most ${payloadBytesMax} bytes`);
      return;
    }
    const storing = this.#store(pending, message).finally(() => this.#storing.delete(storing));
    this.#storing.add(storing);
  }

  /** Fires until it is stored, or the broker has it alone: then it comes again. */
  async #store(pending: PendingMessage, message: Publish): Promise<void> {
    const { fire, logger, timers, random } = this.#options;
    const { topic, payload, isRepeated, isRetained } = message;
    for (let tries = 0; pending.isAwaited && !this.#isClosed; tries++) {
      try {
        await fire({ topic, payload, isRepeated, isRetained });
        this.#pending.stored(pending);
        return;
      } catch (error) {
        if (!(error instanceof EnokiError)) throw error;
        if (error.code === "ENOKI_BODY_TOO_LARGE") {
          this.#drop(pending, message, error.message);
          return;
        }
        if (tries === 0) {
          const detail = { ...this.#shown(), code: error.code };
          logger.warn(detail, `a message waits at its broker: ${error.message}`);
        }
        const delayMs = retryDelayMs(tries, REFIRE_MS, random);
        const later = new Promise<void>((resolve) => timers.after(delayMs, resolve));
        await Promise.race([later, this.#closing]);
      }
    }
  }

  /** It would be refused for ever, and everything behind it would wait. */
  #drop(pending: PendingMessage, { topic, sizeBytes }: Publish, reason: string): void {
    const detail = { ...this.#shown(), code: "ENOKI_BODY_TOO_LARGE", topic, sizeBytes };
    this.#options.logger.error(detail, `a message was dropped: ${reason}`);
    this.#pending.stored(pending);
  }

  #shown(): object {
    const { address, name } = this.#options;
    return { function: name, broker: showBroker(address), subscription: address.filter };
  }
}
