import type { Update } from "../../core/update.js";
import { joinUpdates } from "../../core/wire/messages.js";
import { encodeUpdate } from "../../core/wire/update.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";

/** Updates beyond this size travel in more than one message. */
const MESSAGE_BYTES_MAX = 256 * 1024;

/**
 * Own commits on their way to all members. Those of one turn leave together at its end, encoded
 * once for all peers. What a link does not take is dropped: that peer is behind then, gets no
 * updates any more, and catches up.
 */
export class OutgoingUpdates {
  readonly #context: ReplicationContext;
  readonly #peers: Iterable<Peer>;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isArmed = false;

  constructor(context: ReplicationContext, peers: Iterable<Peer>) {
    this.#context = context;
    this.#peers = peers;
  }

  /** Bytes that wait for the end of this turn. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Sends an update at the end of this turn to all who can take it. */
  add(update: Update): void {
    const encoded = encodeUpdate(update);
    if (this.#waitingBytes + encoded.length > MESSAGE_BYTES_MAX) this.#send();
    this.#waiting.push(encoded);
    this.#waitingBytes += encoded.length;
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#context.turn.flush(() => {
      this.#isArmed = false;
      this.#send();
    });
  }

  #send(): void {
    const updates = this.#waiting;
    if (updates.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { host, send, counts, logger } = this.#context;
    let message: Uint8Array | undefined;
    for (const peer of this.#peers) {
      if (!peer.isUp || peer.isBehind || peer.standing?.isServing === false) continue;
      message ??= joinUpdates(host.replica.identity.generation, updates);
      if (send(peer.node, "update", message)) {
        counts.updatesSentTotal += updates.length;
        continue;
      }
      peer.isBehind = true;
      counts.outboxesDroppedTotal += 1;
      logger.info({ keygroup: host.name, node: peer.node }, "a peer fell behind and will catch up");
    }
  }
}
