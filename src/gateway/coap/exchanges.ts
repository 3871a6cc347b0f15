import { crc32 } from "node:zlib";

import type { Clock } from "../../ports/clock.js";
import type { Timers } from "../../ports/timers.js";
import { LIMITS } from "../../core/limits.js";
import { isRequest } from "./codes.js";
import {
  encodeEmpty,
  encodeMessage,
  parseDatagram,
  TYPE,
  type CoapMessage,
  type CoapOption,
} from "./message.js";

/** Who sent a datagram. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** What a request is answered with. */
export interface CoapResponse {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Buffer;
}

/** What {@link Exchanges} are built from. */
export interface ExchangesOptions {
  readonly send: (datagram: Buffer, peer: Peer) => void;
  /** Called once for each request, however often it arrives; `respond` may be called once. */
  readonly onRequest: (
    request: CoapMessage,
    peer: Peer,
    respond: (response: CoapResponse) => void,
  ) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** One request, for as long as a duplicate of it may arrive. */
interface Exchange {
  readonly type: number;
  /** Of the whole datagram. */
  readonly checksum: number;
  readonly expiresMs: number;
  /** It was acknowledged before its response: that comes in a message of its own. */
  isAcknowledged: boolean;
  /** `undefined`: it is still being worked on. */
  sent: Buffer | undefined;
  stopTimer: (() => void) | undefined;
}

/** EXCHANGE_LIFETIME and NON_LIFETIME of RFC 7252, section 4.8.2. */
const CONFIRMABLE_KEPT_MS = 247_000;
const OTHERS_KEPT_MS = 145_000;
/** A request that is not answered by then is acknowledged alone; peers repeat after 2 s. */
const ACKNOWLEDGE_AFTER_MS = 500;
/** ACK_TIMEOUT, ACK_RANDOM_FACTOR and MAX_RETRANSMIT of RFC 7252, section 4.8. */
const REPEAT_AFTER_MS = 2000;
const REPEAT_SPREAD = 0.5;
const REPEATS_MAX = 4;
const MESSAGE_IDS = 65_536;

/**
 * The message layer of a server (RFC 7252, section 4): each request is handed on once, its repeats
 * get the same answer; answers that come late travel in messages of their own, repeated until they
 * are acknowledged.
 *
 * All state is bounded: at `coapExchangesMax` the oldest answered request is forgotten, and a repeat
 * of it would be taken for a new one.
 */
export class Exchanges {
  readonly #options: ExchangesOptions;
  /** In the order of their arrival. */
  readonly #exchanges = new Map<string, Exchange>();
  /** Answers that wait for an acknowledgement: what stops their repeats. */
  readonly #unacknowledged = new Map<string, () => void>();
  #nextMessageId: number;

  constructor(options: ExchangesOptions) {
    this.#options = options;
    this.#nextMessageId = Math.floor(options.random() * MESSAGE_IDS);
  }

  /** How many requests are remembered, and how many answers wait for an acknowledgement. */
  get size(): { readonly exchanges: number; readonly unacknowledged: number } {
    return { exchanges: this.#exchanges.size, unacknowledged: this.#unacknowledged.size };
  }

  /** Takes one datagram. Never throws for what is in it. */
  receive(datagram: Buffer, peer: Peer): void {
    const parsed = parseDatagram(datagram);
    if (parsed.kind === "foreign") return;
    if (parsed.kind === "malformed") {
      if (parsed.type === TYPE.confirmable) this.#reset(parsed.messageId, peer);
      return;
    }
    const { message } = parsed;
    const { type, code, messageId } = message;
    if (type === TYPE.acknowledgement || type === TYPE.reset) {
      this.#unacknowledged.get(keyOf(peer, messageId))?.();
    } else if (isRequest(code)) this.#request(message, crc32(datagram), peer);
    else if (type === TYPE.confirmable) this.#reset(messageId, peer);
  }

  /** Repeats nothing any more, and forgets everything. */
  close(): void {
    for (const { stopTimer } of this.#exchanges.values()) stopTimer?.();
    for (const stop of this.#unacknowledged.values()) stop();
    this.#exchanges.clear();
  }

  #request(message: CoapMessage, checksum: number, peer: Peer): void {
    const key = keyOf(peer, message.messageId);
    const known = this.#exchanges.get(key);
    const nowMs = this.#options.clock.monotonicMs();
    // why the checksum: ports and message ids come again sooner than the standard thinks, with
    // another request in them, which must not get an old answer.
    if (known && known.checksum === checksum && known.expiresMs > nowMs) {
      this.#repeat(known, message.messageId, peer);
      return;
    }
    this.#exchanges.delete(key);
    this.#forget(nowMs);
    const { type } = message;
    const isConfirmable = type === TYPE.confirmable;
    const exchange: Exchange = {
      type,
      checksum,
      expiresMs: nowMs + (isConfirmable ? CONFIRMABLE_KEPT_MS : OTHERS_KEPT_MS),
      isAcknowledged: false,
      sent: undefined,
      stopTimer: undefined,
    };
    this.#exchanges.set(key, exchange);
    if (isConfirmable) {
      exchange.stopTimer = this.#options.timers.after(ACKNOWLEDGE_AFTER_MS, () => {
        exchange.isAcknowledged = true;
        this.#acknowledge(message.messageId, peer);
      });
    }
    this.#options.onRequest(message, peer, (response) => {
      exchange.stopTimer?.();
      exchange.stopTimer = undefined;
      this.#respond(exchange, message, response, peer);
    });
  }

  #respond(exchange: Exchange, request: CoapMessage, response: CoapResponse, peer: Peer): void {
    const answer = { ...response, token: request.token };
    if (exchange.type === TYPE.confirmable && !exchange.isAcknowledged) {
      const { messageId } = request;
      exchange.sent = encodeMessage({ ...answer, type: TYPE.acknowledgement, messageId });
      this.#options.send(exchange.sent, peer);
      return;
    }
    const messageId = this.#nextMessageId;
    this.#nextMessageId = (messageId + 1) % MESSAGE_IDS;
    const hasRoom = this.#unacknowledged.size < LIMITS.coapUnacknowledgedMax;
    const isRepeated = exchange.type === TYPE.confirmable && hasRoom;
    const type = isRepeated ? TYPE.confirmable : TYPE.nonConfirmable;
    exchange.sent = encodeMessage({ ...answer, type, messageId });
    this.#options.send(exchange.sent, peer);
    if (isRepeated) this.#repeatUntilAcknowledged(exchange.sent, messageId, peer);
  }

  /** Answers what has arrived before. */
  #repeat(exchange: Exchange, messageId: number, peer: Peer): void {
    if (exchange.type !== TYPE.confirmable) return;
    if (exchange.isAcknowledged) this.#acknowledge(messageId, peer);
    else if (exchange.sent) this.#options.send(exchange.sent, peer);
  }

  #repeatUntilAcknowledged(datagram: Buffer, messageId: number, peer: Peer): void {
    const { timers, random, send } = this.#options;
    const key = keyOf(peer, messageId);
    let delayMs = REPEAT_AFTER_MS * (1 + random() * REPEAT_SPREAD);
    let repeats = 0;
    let stopTimer = (): void => {};
    const stop = (): void => {
      stopTimer();
      if (this.#unacknowledged.get(key) === stop) this.#unacknowledged.delete(key);
    };
    const wait = (): void => {
      stopTimer = timers.after(delayMs, () => {
        if (repeats === REPEATS_MAX) {
          stop();
          return;
        }
        repeats += 1;
        delayMs *= 2;
        send(datagram, peer);
        wait();
      });
    };
    this.#unacknowledged.get(key)?.();
    this.#unacknowledged.set(key, stop);
    wait();
  }

  #acknowledge(messageId: number, peer: Peer): void {
    this.#options.send(encodeEmpty(TYPE.acknowledgement, messageId), peer);
  }

  #reset(messageId: number, peer: Peer): void {
    this.#options.send(encodeEmpty(TYPE.reset, messageId), peer);
  }

  /** Forgets the requests that no duplicate can come of any more, and makes room for one. */
  #forget(nowMs: number): void {
    for (const [key, { expiresMs, sent }] of this.#exchanges) {
      const isOver = expiresMs <= nowMs || this.#exchanges.size >= LIMITS.coapExchangesMax;
      if (!isOver) return;
      if (sent) this.#exchanges.delete(key);
    }
  }
}

function keyOf({ address, port }: Peer, messageId: number): string {
  return `${messageId} ${port} ${address}`;
}
