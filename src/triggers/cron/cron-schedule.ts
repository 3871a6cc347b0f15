import { Cron } from "croner";

import type { CronExpression } from "./cron-expression.js";

/** The ticks of an expression. */
export interface CronSchedule {
  /** The first tick after a moment, both in milliseconds since 1970; `undefined` = none. */
  nextAfterMs(afterMs: number): number | undefined;
}

/**
 * The ticks of an expression, without a clock. Where clocks are put forward, a time that is missing comes
 * right after the gap; where they are put back, a time that is there twice comes once, and what comes
 * every few minutes or hours goes on.
 */
export function scheduleOf({ pattern, zone }: CronExpression): CronSchedule {
  const ticks = new Cron(pattern, { timezone: zone, paused: true });
  return { nextAfterMs: (afterMs) => ticks.nextRun(new Date(afterMs))?.getTime() };
}
