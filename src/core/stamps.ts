interface Received {
  /** Own time by which it had come. */
  readonly by: number;
  readonly stamp: number;
}

/** Stamps are whole microseconds. */
export const STAMPS_PER_MS = 1000;
/** Stamps of the other end that are remembered; when there are more, every other older one goes. */
const RECEIVED_MAX = 64;

/**
 * The stamps of one link, while it is up: each end's own monotonic time, of which the other one makes
 * nothing but sends it back. So two clocks are never compared.
 */
export class Stamps {
  #first: number | undefined;
  #last = -1;
  #echo: number | undefined;
  #received: Received[] = [];

  /** The latest stamp of the other end; `undefined` before the first. */
  get echo(): number | undefined {
    return this.#echo;
  }

  /** The stamp of what is sent now; `undefined` if something was sent in this very microsecond. */
  next(nowMs: number): number | undefined {
    const stamp = Math.floor(nowMs * STAMPS_PER_MS);
    if (stamp <= this.#last) return undefined;
    this.#first ??= stamp;
    this.#last = stamp;
    return stamp;
  }

  /** True if a stamp was made here, since the link is up. */
  isOwn(stamp: number): boolean {
    return this.#first !== undefined && stamp >= this.#first && stamp <= this.#last;
  }

  /** Notes a stamp of the other end; `isKept` if {@link echoAt} may be asked about it. */
  received(stamp: number, nowMs: number, isKept: boolean): void {
    if (this.#echo !== undefined && stamp <= this.#echo) return;
    this.#echo = stamp;
    if (!isKept) {
      this.#received = [];
      return;
    }
    this.#received.push({ by: Math.ceil(nowMs * STAMPS_PER_MS), stamp });
    if (this.#received.length <= RECEIVED_MAX) return;
    this.#received = this.#received.filter((_, at) => at % 2 === 0 || at >= RECEIVED_MAX / 2);
  }

  /**
   * The latest stamp of the other end that had come when this node's own stamp `own` was made: what
   * was so after the one was so after the other. `undefined` if none had.
   */
  echoAt(own: number): number | undefined {
    return this.#received.findLast(({ by }) => by <= own)?.stamp;
  }
}
