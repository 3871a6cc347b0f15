import type { Socket } from "node:net";
import type { WebSocket } from "ws";

import type { LinkLane } from "../ports/links.js";
import { checkSkew, Refusal } from "./handshake.js";
import { Incoming } from "./incoming.js";
import type { LinkOptions } from "./options.js";
import { Outgoing } from "./outgoing.js";
import {
  CLOSE,
  HEARTBEAT,
  HEARTBEAT_BYTES,
  LANE_NUMBER,
  LANES,
  LinkProtocolError,
} from "./wire.js";

/** What is with the system and not sent yet. More would make an urgent message wait behind it. */
const IN_FLIGHT_BYTES_MAX = 256 * 1024;
/** Heartbeats that were not answered yet and still may be. */
const ASKED_MAX = 16;
/** A clock that was set forth and back at once is no reason to end a link. */
const SKEWED_ANSWERS_MAX = 3;
/** Share of the newest measurement in the smoothed round trip. */
const ROUND_TRIP_SHARE = 1 / 8;
/** Most bytes of a WebSocket's reason for closing. */
const REASON_BYTES_MAX = 123;

/** A WebSocket whose handshake is done, with the socket below it. */
export interface LinkSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}

/** What a connection tells its owner. */
export interface ConnectionEvents {
  message(payload: Uint8Array): void;
  room(lane: LinkLane): void;
  /** It is over; `cause` says why. Called once, and nothing after it. */
  ended(cause: Refusal): void;
}

/** An open link on its WebSocket: lanes, batches and heartbeats. */
export class LinkConnection {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #events: ConnectionEvents;
  readonly #outgoing = new Outgoing();
  readonly #incoming = new Incoming();
  #isFlushDue = false;
  #inFlightBytes = 0;
  #isEnded = false;
  #holds = 0;
  #cancelBeat: () => void = () => {};
  #receivedBytes = 0;
  #silentBeats = 0;
  /** When the last heartbeats were sent. */
  #asked: number[] = [];
  #skewedAnswers = 0;

  roundTripMs: number | undefined;
  /** Batches handed to the socket, and their bytes. */
  batchesTotal = 0;
  bytesTotal = 0;

  constructor(link: LinkSocket, options: LinkOptions, events: ConnectionEvents) {
    this.#webSocket = link.webSocket;
    this.#socket = link.socket;
    this.#options = options;
    this.#events = events;
    this.#webSocket.removeAllListeners();
    this.#webSocket.on("message", (data, isBinary) => this.#receive(data as Buffer, isBinary));
    this.#webSocket.on("error", (error: Error & { code?: string }) => {
      const isProtocol = error.code?.startsWith("WS_ERR_") === true;
      this.#end(new Refusal(isProtocol ? CLOSE.malformed : CLOSE.timeout, error.message));
    });
    this.#webSocket.on("close", (code, reason) => {
      this.#end(new Refusal(code, reason.toString() || `the connection was closed (${code})`));
    });
    this.#beat();
  }

  /** Hands a message over; false if its lane is full or the link is over. */
  send(lane: LinkLane, payload: Uint8Array): boolean {
    if (this.#isEnded || !this.#outgoing.offer(LANE_NUMBER[lane], payload)) return false;
    this.#flushLater();
    return true;
  }

  backlogBytes(lane: LinkLane): number {
    return this.#outgoing.backlogBytes(LANE_NUMBER[lane]);
  }

  /** Stops reading until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1) this.#webSocket.pause();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#holds -= 1;
      this.#silentBeats = 0;
      if (this.#holds === 0) this.#webSocket.resume();
    };
  }

  /** Ends the link and tells the peer why. */
  close(cause: Refusal): void {
    if (this.#isEnded) return;
    closePolitely(this.#webSocket, cause);
    this.#end(cause);
  }

  #receive(batch: Buffer, isBinary: boolean): void {
    if (this.#isEnded) return;
    try {
      if (!isBinary) throw new LinkProtocolError("text instead of frames");
      this.#incoming.push(batch, this.#intake);
    } catch (error) {
      // why log: what a receiver throws at hostile bytes may just as well be its own bug.
      if (!(error instanceof LinkProtocolError)) {
        this.#options.logger.error({ err: error }, "a message from a peer was not understood");
      }
      this.close(new Refusal(CLOSE.malformed, (error as Error).message));
    }
  }

  readonly #intake = {
    message: (payload: Uint8Array): void => {
      if (!this.#isEnded) this.#events.message(payload);
    },
    heartbeat: (bytes: Buffer): void => this.#heartbeat(bytes),
  };

  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.turn.flush(() => {
      this.#isFlushDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isEnded) return;
    while (this.#inFlightBytes < IN_FLIGHT_BYTES_MAX && !this.#outgoing.isEmpty) {
      const batch = this.#outgoing.nextBatch();
      this.#inFlightBytes += batch.length;
      this.batchesTotal += 1;
      this.bytesTotal += batch.length;
      this.#webSocket.send(batch, () => {
        this.#inFlightBytes -= batch.length;
        if (!this.#isFlushDue) this.#pump();
      });
    }
    for (const lane of this.#outgoing.takeRelieved()) {
      this.#events.room(LANES[lane] as LinkLane);
    }
  }

  #beat(): void {
    const { timers, timing, clock } = this.#options;
    const receivedBytes = this.#socket.bytesRead;
    const isSilent = receivedBytes === this.#receivedBytes && this.#holds === 0;
    this.#receivedBytes = receivedBytes;
    this.#silentBeats = isSilent ? this.#silentBeats + 1 : 0;
    if (this.#silentBeats >= timing.silentHeartbeatsMax) {
      this.#end(new Refusal(CLOSE.timeout, "the peer gives no sign of life"));
      return;
    }
    const nowMs = clock.monotonicMs();
    this.#asked.push(nowMs);
    if (this.#asked.length > ASKED_MAX) this.#asked.shift();
    this.#outgoing.heartbeat(HEARTBEAT.ask, this.#encodeHeartbeat(HEARTBEAT.ask, nowMs));
    this.#flushLater();
    this.#cancelBeat = timers.after(timing.heartbeatMs, () => this.#beat());
  }

  #encodeHeartbeat(kind: number, echoMs: number): Buffer {
    const bytes = Buffer.alloc(HEARTBEAT_BYTES);
    bytes[0] = kind;
    bytes.writeDoubleLE(echoMs, 1);
    bytes.writeDoubleLE(this.#options.clock.nowMs(), 9);
    return bytes;
  }

  #heartbeat(bytes: Buffer): void {
    const echoMs = bytes.readDoubleLE(1);
    if (bytes[0] === HEARTBEAT.ask) {
      this.#outgoing.heartbeat(HEARTBEAT.answer, this.#encodeHeartbeat(HEARTBEAT.answer, echoMs));
      this.#flushLater();
    } else if (bytes[0] === HEARTBEAT.answer) {
      this.#answered(echoMs, bytes.readDoubleLE(9));
    } else {
      throw new LinkProtocolError("a heartbeat of unknown kind");
    }
  }

  #answered(askedMs: number, peerNowMs: number): void {
    const index = this.#asked.indexOf(askedMs);
    if (index === -1 || this.#isEnded) return;
    this.#asked.splice(0, index + 1);
    const { clock, timing } = this.#options;
    const nowMs = clock.monotonicMs();
    const tripMs = nowMs - askedMs;
    this.roundTripMs =
      this.roundTripMs === undefined
        ? tripMs
        : this.roundTripMs + (tripMs - this.roundTripMs) * ROUND_TRIP_SHARE;
    const reading = { nowMs: peerNowMs, earliestMs: askedMs, latestMs: nowMs };
    try {
      checkSkew(reading, clock, timing.maxSkewMs);
      this.#skewedAnswers = 0;
    } catch (error) {
      this.#skewedAnswers += 1;
      if (this.#skewedAnswers >= SKEWED_ANSWERS_MAX) this.close(error as Refusal);
    }
  }

  #end(cause: Refusal): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelBeat();
    // A socket that is closing politely ends by itself or by the WebSocket's own timeout.
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.terminate();
    this.#events.ended(cause);
  }
}

/** Closes a WebSocket with the code and reason of a refusal. */
export function closePolitely(webSocket: WebSocket, { code, message }: Refusal): void {
  const reason = Buffer.from(message).subarray(0, REASON_BYTES_MAX).toString();
  const isCut = Buffer.byteLength(reason) > REASON_BYTES_MAX;
  webSocket.close(code, isCut ? "" : reason);
  // why resume: a paused socket would never see the peer's answer.
  webSocket.resume();
}
