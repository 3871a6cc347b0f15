import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { SourceStart, RunningSource } from "../trigger-sources.js";
import { parseCronExpression } from "./cron-expression.js";
import { scheduleOf } from "./cron-schedule.js";
import { CronSource } from "./cron-source.js";

/** What times are told by. */
export interface CronStarterOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

/** Starts the ticks of one trigger on this node. */
export function startCron(options: CronStarterOptions, start: SourceStart): RunningSource {
  const { trigger, fire } = start;
  const { cause, at, id, function: name, sinceMs } = trigger;
  if (cause.kind !== "cron") throw new Error(`no schedule: ${cause.kind}`);
  // With `one` the node that takes over means the same call; with `every` each node has its own.
  const keyOf = at === "every" ? `cron ${id} ${options.node}` : `cron ${id}`;
  const expression = parseCronExpression(cause.schedule);
  return new CronSource({
    ...options,
    name,
    schedule: scheduleOf(expression),
    sinceMs,
    fire: async (tickMs) => {
      const tick = new Date(tickMs).toISOString();
      const data = { source: "cron", schedule: expression.text, tick };
      await fire({ data, idempotencyKey: `${keyOf} ${tick}` });
    },
  });
}
