import type { NodeName } from "../core/ids.js";
import type { LinkLane } from "../ports/links.js";
import { LinkConnection, type LinkSocket } from "./connection.js";
import { Dial } from "./dial.js";
import { Refusal } from "./handshake.js";
import type { OnceLog } from "./once-log.js";
import type { LinkOptions } from "./options.js";
import { CLOSE } from "./wire.js";

/** Which dials of a peer's process came before an open link, and so are over. */
export interface PeerProcess {
  readonly process: string;
  readonly attempt: number;
}

/** What a peer needs of its owner. */
export interface PeerOwner {
  readonly options: LinkOptions;
  readonly log: OnceLog;
  readonly process: string;
  /** The number of the next dial of this process. */
  nextAttempt(): number;
  up(node: NodeName): void;
  down(node: NodeName): void;
  message(node: NodeName, payload: Uint8Array): void;
  room(node: NodeName, lane: LinkLane): void;
  /** Nothing is known of that node any more. */
  forgotten(node: NodeName): void;
}

/**
 * Everything about one other node: its link, the dials that may become one, and when to try again.
 *
 * Invariants: (1) at most one link is up; (2) while a link is up or a dial of the peer was welcomed,
 * this node does not dial; (3) of two dials that cross, both nodes keep the one of the node whose
 * name sorts first.
 */
export class Peer {
  readonly #node: NodeName;
  readonly #owner: PeerOwner;
  #addresses: readonly string[] | undefined;
  #nextAddress = 0;
  #link: LinkConnection | undefined;
  #linkedProcess: PeerProcess | undefined;
  #linkedSinceMs = 0;
  #dial: Dial | undefined;
  /** Ends a dial of the peer that was welcomed and is not a link yet. */
  #cutWelcomed: (() => void) | undefined;
  /** A link is being replaced by the next: this is not the end. */
  #isReplacing = false;
  #failures = 0;
  #cancelRetry: (() => void) | undefined;
  #isClosed = false;

  constructor(node: NodeName, owner: PeerOwner) {
    this.#node = node;
    this.#owner = owner;
  }

  get link(): LinkConnection | undefined {
    return this.#link;
  }

  /** Says where the peer may be dialled; `undefined` = not at all, by nobody's wish. */
  setAddresses(addresses: readonly string[] | undefined): void {
    this.#addresses = addresses;
    this.#nextAddress = 0;
    this.#dial?.abort();
    this.#dial = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#failures = 0;
    this.#dialNow();
    this.#forgetIfIdle();
  }

  /** Takes a dial of the peer, or refuses it because another one wins. @throws Refusal */
  admit(theirs: PeerProcess, cut: () => void): void {
    const known = this.#link && this.#linkedProcess;
    const isOld = known?.process === theirs.process && theirs.attempt <= known.attempt;
    const isOurs = this.#dial?.hasSentHello === true && this.#owner.options.node < this.#node;
    if (isOld || isOurs) throw new Refusal(CLOSE.crossed, "both dialled; the other one is kept");
    this.#stopDialling();
    this.#cutWelcomed?.();
    this.#cutWelcomed = cut;
  }

  /** A dial that was admitted ended before it became a link. */
  dropped(cut: () => void): void {
    if (this.#cutWelcomed !== cut) return;
    this.#cutWelcomed = undefined;
    this.#retryLater();
    this.#forgetIfIdle();
  }

  /** The handshake is done. A link that there was is replaced: the peer gave it up. */
  adopt(theirs: PeerProcess, socket: LinkSocket): void {
    this.#stopDialling();
    this.#cutWelcomed = undefined;
    this.#isReplacing = true;
    this.#link?.close(new Refusal(CLOSE.replaced, "the peer opened a newer link"));
    this.#isReplacing = false;
    if (this.#isClosed) {
      socket.webSocket.terminate();
      return;
    }
    const { options, log } = this.#owner;
    this.#linkedProcess = theirs;
    this.#linkedSinceMs = options.clock.monotonicMs();
    log.forget(this.#node);
    const link = new LinkConnection(socket, options, {
      message: (payload) => this.#owner.message(this.#node, payload),
      room: (lane) => this.#owner.room(this.#node, lane),
      ended: (cause) => this.#ended(link, cause),
    });
    this.#link = link;
    options.logger.info({ peer: this.#node }, "link up");
    this.#owner.up(this.#node);
  }

  /** Ends everything. */
  close(cause: Refusal): void {
    this.#isClosed = true;
    this.#stopDialling();
    this.#cutWelcomed?.();
    this.#link?.close(cause);
  }

  #ended(link: LinkConnection, cause: Refusal): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    const { options, log } = this.#owner;
    const livedMs = options.clock.monotonicMs() - this.#linkedSinceMs;
    this.#failures = livedMs >= options.timing.stableMs ? 0 : this.#failures + 1;
    options.logger.info({ peer: this.#node, cause: cause.message }, "link down");
    if (isTrouble(cause)) log.warn(this.#node, String(cause.code), cause.message);
    this.#owner.down(this.#node);
    if (this.#isReplacing) return;
    this.#retryLater();
    this.#forgetIfIdle();
  }

  #dialNow(): void {
    this.#cancelRetry = undefined;
    const addresses = this.#addresses;
    if (this.#isBusy || !addresses?.length) return;
    const address = addresses[this.#nextAddress % addresses.length] as string;
    this.#nextAddress += 1;
    const { options, process } = this.#owner;
    const attempt = this.#owner.nextAttempt();
    const dial = new Dial(
      { links: options, address, expected: this.#node, process, attempt },
      {
        opened: (socket, welcome) => {
          this.#dial = undefined;
          this.adopt(welcome, socket);
        },
        failed: (cause) => {
          if (this.#dial !== dial) return;
          this.#dial = undefined;
          this.#failed(cause);
        },
      },
    );
    this.#dial = dial;
  }

  #failed(cause: Refusal): void {
    if (cause.code !== CLOSE.crossed) {
      this.#failures += 1;
      this.#owner.log.warn(this.#node, `${cause.code} ${kindOf(cause)}`, cause.message);
    }
    this.#retryLater();
  }

  /** Tries again after a wait that grows with each failure, somewhere within its second half. */
  #retryLater(): void {
    if (this.#isBusy || this.#cancelRetry || !this.#addresses?.length) return;
    const { timing, timers, random } = this.#owner.options;
    const doublings = Math.min(Math.max(0, this.#failures - 1), 20);
    const waitMs = Math.min(timing.retryMaxMs, timing.retryMs * 2 ** doublings);
    const delayMs = waitMs * (0.5 + random() / 2);
    this.#cancelRetry = timers.after(delayMs, () => this.#dialNow());
  }

  /** There is no reason to dial, or to dial again. */
  get #isBusy(): boolean {
    const current = this.#link ?? this.#dial ?? this.#cutWelcomed;
    return this.#isClosed || this.#isReplacing || current !== undefined;
  }

  #stopDialling(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#dial?.abort();
    this.#dial = undefined;
  }

  #forgetIfIdle(): void {
    if (this.#addresses || this.#link || this.#cutWelcomed || this.#isReplacing) return;
    this.#owner.forgotten(this.#node);
  }
}

/** The part of a cause that stays the same from try to try: its words without numbers. */
function kindOf({ message }: Refusal): string {
  return message.replace(/\d+/g, "#");
}

/** Whether its owner should look at why a link ended; links that are cut are the normal life of an edge. */
function isTrouble({ code }: Refusal): boolean {
  return code === CLOSE.malformed || code === CLOSE.skew || code === CLOSE.identity;
}
