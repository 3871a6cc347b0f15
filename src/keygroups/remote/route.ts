import type { NodeName } from "../../core/ids.js";
import type { Timers } from "../../ports/timers.js";
import type { Keygroup } from "../keygroup.js";

/** What one route is decided by: see `RoutesOptions`. */
export interface RouteOptions {
  readonly serving: () => Keygroup | undefined;
  readonly isArriving: () => boolean;
  readonly catchUpWith: (node: NodeName) => Promise<void>;
  readonly turned: (isHere: boolean) => void;
  readonly timers: Timers;
}

/** Operations wait for no longer while the route changes. */
const WAIT_MS_MAX = 10_000;

/**
 * Where the operations of one keygroup take place that functions on this node ask for: at the replica
 * here, or at another node. All instances change over together, and behind a fence: where they go on,
 * nothing is missing that they have written or read before.
 *
 * Invariants: 1. While operations are held, none begins here or elsewhere. 2. The route turns to here
 * only once the replica here shows what the last ones elsewhere have done.
 */
export class KeygroupRoute {
  readonly #options: RouteOptions;
  #isHere = false;
  /** Who holds operations now, and what they wait for. */
  #holders = 0;
  #held: Promise<void> | undefined;
  #release: () => void = () => {};
  #isTurning = false;
  /** Operations that are under way elsewhere, and where the last one was sent. */
  #elsewhere = 0;
  #lastServer: NodeName | undefined;
  #idle: (() => void) | undefined;

  constructor(options: RouteOptions) {
    this.#options = options;
  }

  /** The keygroup, if operations take place here; `undefined` while they are held, too. */
  get here(): Keygroup | undefined {
    return this.#isHere && this.#held === undefined ? this.#options.serving() : undefined;
  }

  /** Operations take place here, or will again once they are held no more. */
  get isHere(): boolean {
    return this.#isHere;
  }

  /** Set while operations have to wait. */
  get held(): Promise<void> | undefined {
    return this.#held;
  }

  /** Lets operations wait until the returned function is called, by all who hold them. */
  hold(): () => void {
    if (this.#holders === 0) this.#held = new Promise((resolve) => (this.#release = resolve));
    this.#holders += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#holders -= 1;
      if (this.#holders > 0) return;
      this.#held = undefined;
      this.look();
      this.#release();
    };
  }

  /** An operation is sent to another node; the returned function says that it has ended. */
  sent(to: NodeName): () => void {
    this.#elsewhere += 1;
    this.#lastServer = to;
    return () => {
      this.#elsewhere -= 1;
      if (this.#elsewhere === 0) this.#idle?.();
    };
  }

  /** The replica here, or the record, has changed: turns to where the data are. */
  look(): void {
    const serving = this.#options.serving();
    if (this.#isHere && !serving && this.#held === undefined) this.#turn(false);
    else if (!this.#isHere && serving && !this.#isTurning && !this.#options.isArriving()) {
      if (this.#lastServer === undefined) this.#turn(true);
      else void this.#turnHere(this.#lastServer);
    }
  }

  /** Where the data come from cannot be reached: the replica here takes their place if it serves. */
  takeOver(): void {
    if (!this.#isHere && !this.#isTurning && this.#options.serving()) this.#turn(true);
  }

  /** Turns to here behind all that was done elsewhere, or where nobody answers, without. */
  async #turnHere(lastServer: NodeName): Promise<void> {
    this.#isTurning = true;
    const release = this.hold();
    const { timers, catchUpWith } = this.#options;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = timers.after(WAIT_MS_MAX, resolve);
    });
    const ended = new Promise<void>((resolve) => {
      this.#idle = resolve;
      if (this.#elsewhere === 0) resolve();
    });
    await Promise.race([ended, late]);
    this.#idle = undefined;
    await Promise.race([catchUpWith(lastServer).catch(() => {}), late]);
    cancel();
    this.#isTurning = false;
    if (this.#options.serving() && !this.#isHere) this.#turn(true);
    release();
  }

  #turn(isHere: boolean): void {
    this.#isHere = isHere;
    this.#lastServer = undefined;
    this.#options.turned(isHere);
  }
}
