import type { Clock } from "../../src/ports/clock.js";
import type { Timers } from "../../src/ports/timers.js";

/** What a part takes its time from. */
export interface TestTime {
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * Time that passes `factor` times as fast as the real one, timers included: what waits for seconds
 * (leases, heartbeats, retries) waits for a fraction of them, in the same proportions.
 */
export function fastTime(factor: number): TestTime {
  const startMs = Date.now();
  const elapsedMs = (): number => performance.now() * factor;
  const offsetMs = startMs - elapsedMs();
  return {
    clock: { nowMs: () => Math.floor(offsetMs + elapsedMs()), monotonicMs: elapsedMs },
    timers: {
      after: (delayMs, work) => {
        const timer = setTimeout(work, delayMs / factor).unref();
        return () => clearTimeout(timer);
      },
    },
  };
}
