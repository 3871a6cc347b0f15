import type { Client } from "../../client/index.js";
import type { Sample } from "../results/point.js";

/** Two nodes that have one keygroup, and the key whose values are told apart. */
export interface LagWatchOptions {
  readonly keygroup: string;
  readonly key: string;
  /** Where the values are written. */
  readonly source: Client;
  readonly target: Client;
}

/**
 * Watches a key on two nodes, on one clock and by ports without a link before them: how much later does
 * each value show on the other node than where it was written? Both ends are told by the same kind of
 * watch, so what that takes is in neither.
 */
export class LagWatch {
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  readonly #atSource = new Map<unknown, number>();
  readonly #atTarget = new Map<unknown, number>();

  constructor({ keygroup, key, source, target }: LagWatchOptions) {
    this.#ended = Promise.all([
      this.#follow(source.kv(keygroup), key, this.#atSource),
      this.#follow(target.kv(keygroup), key, this.#atTarget),
    ]);
    // why: it may break while nobody waits for it yet; who ends it is told.
    this.#ended.catch(() => {});
  }

  /**
   * Ends it and gives the lags as the series `lag`. `begunMs`: when the load began, on the clock of
   * `performance.now()`. A value that was superseded on its way shows nowhere and has no lag.
   */
  async end(begunMs: number): Promise<Sample[]> {
    this.#stop.abort();
    await this.#ended;
    return [...this.#atSource].flatMap(([value, writtenMs]) => {
      const shownMs = this.#atTarget.get(value);
      if (shownMs === undefined) return [];
      const valueMs = shownMs - writtenMs;
      return [{ series: "lag", atMs: writtenMs - begunMs, valueMs, status: 200 }];
    });
  }

  async #follow(
    keygroup: ReturnType<Client["kv"]>,
    key: string,
    seenMs: Map<unknown, number>,
  ): Promise<void> {
    const { signal } = this.#stop;
    try {
      for await (const event of keygroup.watch({ prefix: key }, { signal })) {
        if (event.key === key) seenMs.set(event.value, performance.now());
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
