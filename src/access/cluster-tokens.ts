import type { Directory } from "../cluster/directory.js";
import type { TokenRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { Logger } from "../ports/logger.js";
import type { StoredTokens } from "./stored-tokens.js";
import type { TokenBook } from "./token-book.js";

/** What the tokens of a cluster are looked up in. */
export interface ClusterTokensOptions {
  readonly directory: Pick<Directory, "view" | "tokens" | "subscribe" | "isReachable">;
  /** Those that were made while this node was stopped. */
  readonly offline: StoredTokens;
  readonly logger: Logger;
}

/**
 * The tokens of a cluster, from this node's view of the naming service, so that they are known while
 * that is away. Those that were made offline count here at once, and are handed over as soon as the
 * naming service can be asked.
 */
export class ClusterTokens implements TokenBook {
  readonly #options: ClusterTokensOptions;
  readonly #unsubscribe: () => void;
  #handingOver: Promise<void> = Promise.resolve();

  constructor(options: ClusterTokensOptions) {
    this.#options = options;
    const handOver = (): void => {
      this.#handingOver = this.#handingOver.then(() => this.#handOver());
    };
    this.#unsubscribe = options.directory.subscribe({
      reachabilityChanged: (isReachable) => {
        if (isReachable) handOver();
      },
    });
    if (options.directory.isReachable) handOver();
  }

  find(id: string): TokenRecord | undefined {
    const { directory, offline } = this.#options;
    return directory.view.token(id) ?? offline.find(id);
  }

  all(): readonly TokenRecord[] {
    const { directory, offline } = this.#options;
    const known = directory.view.tokens();
    const here = offline.all().filter(({ id }) => directory.view.token(id) === undefined);
    return [...known, ...here];
  }

  async add(token: TokenRecord): Promise<void> {
    await this.#options.directory.tokens.add(token);
  }

  async revoke(id: string): Promise<void> {
    const { directory, offline } = this.#options;
    const token = offline.find(id);
    // One that is not known there yet becomes so first: only what is known there can end for all.
    if (token) await directory.tokens.add(token);
    await directory.tokens.revoke(id);
  }

  /** Hands nothing over any more; resolves once nothing is on its way. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#handingOver;
  }

  async #handOver(): Promise<void> {
    const { directory, offline, logger } = this.#options;
    try {
      for (const token of offline.all()) {
        await directory.tokens.add(token);
        await offline.forget(token.id);
        logger.info({ token: token.name }, "a token that was made offline is known to all nodes");
      }
    } catch (error) {
      // It is tried again when the naming service is back.
      if (!(error instanceof EnokiError)) throw error;
      logger.warn({ code: error.code }, `tokens are not handed over yet: ${error.message}`);
    }
  }
}
