import { EnokiError } from "../core/errors.js";
import type { RecordChanges } from "./record-changes.js";
import { tokenKey } from "./record-keys.js";
import type { TokenRecord } from "./records.js";

/** The changes of tokens in the naming service, as this node makes them: one transaction each. */
export class TokenControl {
  readonly #changes: RecordChanges;

  constructor(changes: RecordChanges) {
    this.#changes = changes;
  }

  /**
   * Makes a token known to all nodes; to repeat it changes nothing, also once it was revoked.
   * @throws EnokiError `ENOKI_NAMING_UNAVAILABLE`
   */
  async add(token: TokenRecord): Promise<TokenRecord> {
    return this.#changes.change("token", tokenKey(token.id), (before) => before ?? token);
  }

  /** Ends a token for good. @throws EnokiError `ENOKI_TOKEN_NOT_FOUND`, `ENOKI_NAMING_UNAVAILABLE` */
  async revoke(id: string): Promise<TokenRecord> {
    return this.#changes.change("token", tokenKey(id), (before) => {
      if (before !== undefined) return { ...before, isRevoked: true };
      throw new EnokiError("ENOKI_TOKEN_NOT_FOUND", `there is no token ${id}`);
    });
  }
}
