import type { Publish } from "./packets.js";

/** One message that came, until the broker knows that it is kept here. */
export interface PendingMessage {
  readonly isStored: boolean;
  /** Whether anybody will acknowledge it: not once the connection that it came by is cut. */
  readonly isAwaited: boolean;
}

interface Entry {
  readonly message: Publish;
  /** Which of the connections it came by. */
  readonly connection: number;
  isStored: boolean;
  isAwaited: boolean;
}

/** What pending messages act by. */
export interface PendingEffects {
  readonly acknowledge: (packetId: number) => void;
  /** More are pending than is good, or no longer so. */
  readonly hold: (isFull: boolean) => void;
}

const MESSAGES_MAX = 100;
const BYTES_MAX = 32 * 1024 * 1024;

/**
 * The messages of one subscription that are not acknowledged yet.
 *
 * Invariants: 1. Acknowledged is what is stored, in the order in which it came (MQTT 3.1.1, section 4.6).
 * 2. No acknowledgement goes out on another connection than the one its message came by: the id may
 * be another message's there. 3. What was stored as its connection broke is not stored again when the
 * broker repeats it.
 */
export class PendingMessages {
  readonly #effects: PendingEffects;
  /** In the order in which they came. */
  #entries: Entry[] = [];
  #bytes = 0;
  /** Connections so far. */
  #connections = 0;
  /** Stored without the broker having heard of it, from the connection before; by their ids. */
  readonly #storedBefore = new Map<number, Publish>();

  constructor(effects: PendingEffects) {
    this.#effects = effects;
  }

  /** Takes a message that came. It is stored already if it is the repeat of one that was. */
  add(message: Publish): PendingMessage {
    const isStored = this.#wasStored(message);
    const entry: Entry = { message, connection: this.#connections, isStored, isAwaited: true };
    this.#entries.push(entry);
    this.#bytes += message.payload.length;
    this.#settle();
    return entry;
  }

  /** Notes that the call for a message is stored. */
  stored(pending: PendingMessage): void {
    const entry = pending as Entry;
    entry.isStored = true;
    if (entry.isAwaited) this.#settle();
    // Later than that the broker may have repeated it already, and given its id to another one.
    else if (entry.connection === this.#connections) this.#remember(entry);
  }

  /** The connection is gone: what is not acknowledged will come again. */
  cut(): void {
    this.#storedBefore.clear();
    for (const entry of this.#entries) {
      entry.isAwaited = false;
      if (entry.isStored) this.#remember(entry);
    }
    this.#entries = [];
    this.#bytes = 0;
  }

  /** A new connection stands. Without the session from before its ids say nothing any more. */
  connected(hasSession: boolean): void {
    this.#connections += 1;
    if (!hasSession) this.#storedBefore.clear();
  }

  #wasStored({ packetId, isRepeated, topic, payload }: Publish): boolean {
    if (packetId === undefined) return false;
    const before = this.#storedBefore.get(packetId);
    this.#storedBefore.delete(packetId);
    return isRepeated && before?.topic === topic && before.payload.equals(payload);
  }

  #remember({ message }: Entry): void {
    if (message.packetId !== undefined) this.#storedBefore.set(message.packetId, message);
  }

  #settle(): void {
    let stored = 0;
    for (const { message, isStored } of this.#entries) {
      if (!isStored) break;
      stored += 1;
      this.#bytes -= message.payload.length;
      if (message.packetId !== undefined) this.#effects.acknowledge(message.packetId);
    }
    if (stored > 0) this.#entries.splice(0, stored);
    this.#effects.hold(this.#entries.length >= MESSAGES_MAX || this.#bytes >= BYTES_MAX);
  }
}
