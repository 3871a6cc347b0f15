import { EnokiError } from "../../core/errors.js";
import type { KeygroupName } from "../../core/ids.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";

/** What retries are made with. */
export interface RetriesOptions {
  readonly timers: Timers;
  readonly logger: Logger;
  readonly again: (name: KeygroupName) => void;
}

const RETRY_MS = 1000;

/** Keygroups whose records could not be followed yet: each is tried again until it is done. */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #waiting = new Map<KeygroupName, () => void>();
  /** What was logged of each, so that it is logged once. */
  readonly #told = new Map<KeygroupName, string>();

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  failed(name: KeygroupName, error: unknown): void {
    const { timers, logger, again } = this.#options;
    const text = error instanceof EnokiError ? error.message : String((error as Error).stack);
    if (this.#told.get(name) !== text) {
      this.#told.set(name, text);
      logger.warn({ keygroup: name, error: text }, "the keygroup cannot be followed yet");
    }
    this.#waiting.get(name)?.();
    const cancel = timers.after(RETRY_MS, () => {
      this.#waiting.delete(name);
      again(name);
    });
    this.#waiting.set(name, cancel);
  }

  done(name: KeygroupName): void {
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
    this.#told.delete(name);
  }

  /** Tries all of them now. */
  all(): void {
    for (const [name, cancel] of this.#waiting) {
      cancel();
      this.#waiting.delete(name);
      this.#options.again(name);
    }
  }

  close(): void {
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }
}
