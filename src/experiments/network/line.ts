import type { Socket } from "node:net";

import { Flow } from "./flow.js";
import type { LinkShape } from "./link-shape.js";

/** The two ends of a connection: the one that has come, and the one that it is led to. */
export interface Ends {
  readonly client: Socket;
  readonly service: Socket;
}

/**
 * All that passes between two places, `left` and `right`: one flow each way, which all connections
 * share. Time comes from outside: {@link Line.deliver} lets happen what is due at {@link Line.nextMs}.
 */
export class Line {
  readonly #shape: LinkShape;
  readonly #toRight: Flow;
  readonly #toLeft: Flow;
  readonly #changed: () => void;
  #isCut = false;

  /** `changed`: {@link nextMs} may be another one. `random`: a number in [0, 1). */
  constructor(shape: LinkShape, random: () => number, changed: () => void) {
    this.#shape = shape;
    this.#changed = changed;
    this.#toRight = new Flow(shape, random, changed);
    this.#toLeft = new Flow(shape, random, changed);
  }

  /** When the next thing happens here; Infinity = nothing will. */
  get nextMs(): number {
    return this.#isCut ? Infinity : Math.min(this.#toRight.nextMs, this.#toLeft.nextMs);
  }

  /**
   * Carries a connection that was dialled at that end. It costs a round trip before its first byte
   * leaves, as the handshake of TCP does.
   */
  carry({ client, service }: Ends, dialledAt: "left" | "right"): void {
    const isLeft = dialledAt === "left";
    const [there, back] = isLeft ? [this.#toRight, this.#toLeft] : [this.#toLeft, this.#toRight];
    there.carry(client, service, 2 * this.#shape.delayMs);
    back.carry(service, client, 0);
  }

  /** Lets happen what is due. */
  deliver(nowMs: number): void {
    if (this.#isCut) return;
    this.#toRight.deliver(nowMs);
    this.#toLeft.deliver(nowMs);
  }

  /** Lets nothing through; what it is given waits, as TCP would send it again. */
  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
    this.#changed();
  }
}
