import type { Logger } from "../ports/logger.js";

/** Causes that are remembered; beyond that the oldest may be told again. */
const CAUSES_MAX = 256;

/** Tells each cause of trouble with a peer once, until it is over, so that retries do not fill the log. */
export class OnceLog {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Warns unless this `kind` of trouble with that peer was told already. */
  warn(peer: string, kind: string, cause: string): void {
    const key = `${peer}\n${kind}`;
    if (this.#told.has(key)) return;
    if (this.#told.size >= CAUSES_MAX) {
      const [oldest] = this.#told;
      this.#told.delete(oldest as string);
    }
    this.#told.add(key);
    this.#logger.warn({ peer, cause }, "no link to a peer");
  }

  /** A link to that peer is up: whatever goes wrong next is news. */
  forget(peer: string): void {
    for (const key of this.#told) if (key.startsWith(`${peer}\n`)) this.#told.delete(key);
  }
}
