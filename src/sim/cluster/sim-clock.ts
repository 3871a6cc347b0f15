import type { Clock } from "../../ports/clock.js";
import type { VirtualTime } from "./virtual-time.js";

/** 2027-01-15: where the wall clocks of a simulation begin. */
const START_MS = 1_800_000_000_000;

/** The clocks of one node: the wall clock is off and jumps, the monotonic one does neither. */
export class SimClock implements Clock {
  readonly #time: VirtualTime;
  /** How far the wall clock is off. */
  skewMs: number;

  constructor(time: VirtualTime, skewMs: number) {
    this.#time = time;
    this.skewMs = skewMs;
  }

  nowMs(): number {
    return Math.floor(START_MS + this.#time.nowMs + this.skewMs);
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }
}
