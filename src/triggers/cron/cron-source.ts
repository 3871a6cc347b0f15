import { EnokiError } from "../../core/errors.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import { retryDelayMs } from "../retry-delay.js";
import type { CronSchedule } from "./cron-schedule.js";

/** What a source of ticks is made of. */
export interface CronSourceOptions {
  /** The function, for the log. */
  readonly name: string;
  readonly schedule: CronSchedule;
  /** Ticks up to here are not this source's, by the wall clock: when its function was deployed. */
  readonly sinceMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Resolves once the call of the function for a tick is stored. What it rejects is tried again. */
  readonly fire: (tickMs: number) => Promise<void>;
}

/** A tick is made up that much later at most: after a restart, a hand-over, or a full outbox. */
export const CATCH_UP_MS = 60_000;
/** The wall clock is looked at that often at least: it may be set, and the machine may sleep. */
const LOOK_MS = 30_000;
/** A clock that was set back by more than this was wrong before: its ticks are not waited out. */
const LONGEST_STEP_BACK_MS = 86_400_000;
const REFIRE_MS = { first: 500, longest: 10_000 };

/**
 * The ticks of a schedule. The last tick of the minute before the source begins is made up, once: it may
 * have fallen between two nodes that take turns. Of ticks that were missed otherwise the newest counts,
 * while it is that young.
 *
 * Invariant: ticks are fired in ascending order, each until it is stored or too old, so a clock that is
 * set back fires none twice.
 */
export class CronSource {
  readonly #options: CronSourceOptions;
  /** Ticks up to here are fired, or were left out. */
  #doneMs: number;
  #failedTries = 0;
  #stopTimer: (() => void) | undefined;
  #firing: Promise<void> | undefined;
  #isClosed = false;

  /** Begins at once. */
  constructor(options: CronSourceOptions) {
    this.#options = options;
    this.#doneMs = options.sinceMs;
    this.#look();
  }

  /** When it fires next, by the wall clock; `undefined` = never. */
  get nextMs(): number | undefined {
    return this.#options.schedule.nextAfterMs(this.#fromMs());
  }

  /** Fires nothing more; resolves when what is being stored is stored. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.#firing;
  }

  #look(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs();
    const tickMs = this.#dueAtMs(nowMs);
    if (tickMs !== undefined) this.#firing = this.#fire(tickMs);
    else this.#lookLater(Math.min(LOOK_MS, (this.nextMs ?? Infinity) - nowMs));
  }

  async #fire(tickMs: number): Promise<void> {
    const { fire, logger, name, random } = this.#options;
    try {
      await fire(tickMs);
      this.#doneMs = tickMs;
      this.#failedTries = 0;
      this.#lookLater(0);
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      if (this.#failedTries === 0) {
        const detail = { function: name, code: error.code, tick: new Date(tickMs).toISOString() };
        logger.warn(detail, `a tick could not be stored yet: ${error.message}`);
      }
      this.#lookLater(retryDelayMs(this.#failedTries, REFIRE_MS, random));
      this.#failedTries += 1;
    }
  }

  #lookLater(delayMs: number): void {
    if (this.#isClosed) return;
    this.#stopTimer = this.#options.timers.after(delayMs, () => this.#look());
  }

  /** The newest tick that is due and not done. */
  #dueAtMs(nowMs: number): number | undefined {
    const { schedule } = this.#options;
    let due: number | undefined;
    let next = schedule.nextAfterMs(this.#fromMs());
    while (next !== undefined && next <= nowMs) {
      due = next;
      next = schedule.nextAfterMs(next);
    }
    return due;
  }

  /** Ticks up to here are out of question. */
  #fromMs(): number {
    const nowMs = this.#options.clock.nowMs();
    if (this.#doneMs > nowMs + LONGEST_STEP_BACK_MS) this.#doneMs = nowMs;
    return Math.max(this.#doneMs, nowMs - CATCH_UP_MS);
  }
}
