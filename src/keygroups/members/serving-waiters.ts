import type { KeygroupName } from "../../core/ids.js";
import type { Timers } from "../../ports/timers.js";

/** Who waits until a replica here serves. */
export class ServingWaiters {
  readonly #timers: Timers;
  readonly #waiting = new Map<KeygroupName, (() => void)[]>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves once it serves, or after `withinMs`. */
  wait(name: KeygroupName, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#timers.after(withinMs, resolve);
      const waiting = this.#waiting.get(name) ?? [];
      waiting.push(() => {
        cancel();
        resolve();
      });
      this.#waiting.set(name, waiting);
    });
  }

  served(name: KeygroupName): void {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const resolve of waiting) resolve();
  }
}
