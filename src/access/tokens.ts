import { TOKEN_ID } from "../cluster/record-keys.js";
import type { TokenRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import { parseFunctionName } from "../core/ids.js";
import type { Role } from "../core/rights.js";
import type { Clock } from "../ports/clock.js";
import { isExpired } from "./access.js";
import type { TokenBook } from "./token-book.js";
import { newToken } from "./token-text.js";

/** What a token is to be. */
export interface TokenRequest {
  readonly role: Role;
  /** Letters, digits and hyphens; `undefined` = one is made up. */
  readonly name: string | undefined;
  /** `undefined` = it does not expire. */
  readonly validMs: number | undefined;
}

/** A token that was just made: nobody can ask for the text again. */
export interface MadeToken {
  readonly token: TokenRecord;
  readonly text: string;
}

/** What {@link Tokens} works with. */
export interface TokensOptions {
  readonly book: TokenBook;
  /** Whether the node's settings hold an admin token, which nobody can remove here. */
  readonly hasAdminToken: boolean;
  readonly clock: Pick<Clock, "nowMs">;
}

/** Makes, lists and removes tokens. */
export class Tokens {
  readonly #options: TokensOptions;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** Those that were not removed, by name; expired ones are among them. */
  list(): readonly TokenRecord[] {
    const { book } = this.#options;
    const kept = book.all().filter(({ isRevoked }) => !isRevoked);
    return kept.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws EnokiError `ENOKI_TOKEN_EXISTS`, `ENOKI_NO_ADMIN_TOKEN`, `ENOKI_NAMING_UNAVAILABLE` */
  async create(request: TokenRequest): Promise<MadeToken> {
    const { book, clock } = this.#options;
    const { role, validMs } = request;
    const { id, text, hash } = newToken();
    const name = parseFunctionName(request.name ?? `${role}-${id.slice(0, 4)}`);
    if (this.list().some((other) => other.name === name)) {
      throw new EnokiError("ENOKI_TOKEN_EXISTS", `there is a token "${name}" already`);
    }
    if (role !== "admin" && !this.#hasAdmin()) {
      const detail = "the first token has to be one with the role admin";
      throw new EnokiError("ENOKI_NO_ADMIN_TOKEN", detail);
    }
    const createdAtMs = clock.nowMs();
    const expiry = validMs === undefined ? {} : { expiresAtMs: createdAtMs + validMs };
    const token = { id, serial: 1, name, role, hash, createdAtMs, ...expiry, isRevoked: false };
    await book.add(token);
    return { token, text };
  }

  /**
   * Removes the token of that id or name.
   * @throws EnokiError `ENOKI_TOKEN_NOT_FOUND`, `ENOKI_NO_ADMIN_TOKEN`, `ENOKI_NAMING_UNAVAILABLE`
   */
  async remove(reference: string): Promise<TokenRecord> {
    const token = this.find(reference);
    if (token.role === "admin" && !this.#hasAdmin(token)) {
      const detail = `"${token.name}" is the last token with the role admin: make another one first`;
      throw new EnokiError("ENOKI_NO_ADMIN_TOKEN", detail);
    }
    await this.#options.book.revoke(token.id);
    return token;
  }

  /** The token of that id or name. @throws EnokiError `ENOKI_TOKEN_NOT_FOUND`, `ENOKI_INVALID_INPUT` */
  find(reference: string): TokenRecord {
    const isId = TOKEN_ID.test(reference);
    const found = this.list().filter((token) => (isId ? token.id : token.name) === reference);
    if (found.length > 1) {
      const ids = found.map(({ id }) => id).join(" or ");
      throw new EnokiError(
        "ENOKI_INVALID_INPUT",
        `"${reference}" names several tokens: say ${ids}`,
      );
    }
    const [token] = found;
    if (token) return token;
    throw new EnokiError("ENOKI_TOKEN_NOT_FOUND", `there is no token "${reference.slice(0, 63)}"`);
  }

  /** Whether anybody could still make tokens, also without `leaving`. */
  #hasAdmin(leaving?: TokenRecord): boolean {
    const { hasAdminToken, clock } = this.#options;
    if (hasAdminToken) return true;
    const nowMs = clock.nowMs();
    return this.list().some(
      (token) => token !== leaving && token.role === "admin" && !isExpired(token, nowMs),
    );
  }
}
