import { EnokiError } from "../../core/errors.js";
import type { KeygroupName } from "../../core/ids.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";

/** What departures work with. */
export interface DeparturesOptions {
  readonly timers: Timers;
  readonly logger: Logger;
  /** The replica here is one whose data are to lie elsewhere. */
  readonly isWanted: (name: KeygroupName) => boolean;
  /** Leaves once the others have everything; rejects if that is not so yet. */
  readonly leave: (name: KeygroupName) => Promise<void>;
}

const AGAIN_MS = 500;

/** Replicas whose data were placed elsewhere: each leaves as soon as it can, however often it takes. */
export class Departures {
  readonly #options: DeparturesOptions;
  readonly #running = new Map<KeygroupName, Promise<void>>();
  #isClosed = false;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Looks at a keygroup whose record has changed. */
  look(name: KeygroupName): void {
    if (this.#isClosed || this.#running.has(name) || !this.#options.isWanted(name)) return;
    const run = this.#run(name).finally(() => {
      this.#running.delete(name);
      this.look(name);
    });
    this.#running.set(name, run);
  }

  /** Begins no more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#running.values());
  }

  async #run(name: KeygroupName): Promise<void> {
    const { timers, logger, isWanted, leave } = this.#options;
    let told = "";
    while (isWanted(name) && !this.#isClosed) {
      try {
        await leave(name);
        logger.info({ keygroup: name }, "the replica has moved away");
      } catch (error) {
        const text = error instanceof EnokiError ? error.message : String((error as Error).stack);
        if (text !== told)
          logger.info({ keygroup: name, reason: text }, "a replica cannot move yet");
        told = text;
        await new Promise<void>((resolve) => {
          timers.after(AGAIN_MS, resolve);
        });
      }
    }
  }
}
