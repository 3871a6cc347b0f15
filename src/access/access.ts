import type { TokenRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import { includesRole, type Role } from "../core/rights.js";
import type { Clock } from "../ports/clock.js";
import type { TokenBook } from "./token-book.js";
import { isSameSecret, isTokenText, tokenIdOf } from "./token-text.js";

/** Who asks. */
export interface Caller {
  /** For messages: the token's name, or what stands for it. */
  readonly name: string;
  readonly role: Role;
  /** `undefined` for whoever needs no token, and for the node's own admin token. */
  readonly tokenId: string | undefined;
}

/** What {@link Access} decides by. */
export interface AccessOptions {
  /** From the node's settings; it is good for everything. */
  readonly adminToken: string | undefined;
  readonly tokens: Pick<TokenBook, "find" | "all">;
  readonly clock: Pick<Clock, "nowMs">;
}

const ADMIN: Caller = { name: "the admin token", role: "admin", tokenId: undefined };
/** Whoever reaches a node that has no token at all. */
export const ANYBODY: Caller = { name: "anybody", role: "admin", tokenId: undefined };

/**
 * Says who a caller is by the `Authorization` that came along. It looks only at what the node knows
 * by now, so every way in can ask it, on every request, and a change counts as soon as it is known.
 */
export class Access {
  readonly #options: AccessOptions;
  #hasTokens = false;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** True while there is no token at all and never was: then the admin port takes everybody. */
  get isOpen(): boolean {
    const { adminToken, tokens } = this.#options;
    // Tokens never vanish, so that one look that has found some is enough.
    this.#hasTokens ||= adminToken !== undefined || tokens.all().length > 0;
    return !this.#hasTokens;
  }

  /** The caller of the admin port. @throws EnokiError `ENOKI_UNAUTHORIZED` */
  admit(authorization: string | undefined): Caller {
    return this.isOpen ? ANYBODY : this.identify(authorization);
  }

  /**
   * The bearer of a token.
   * @throws EnokiError `ENOKI_UNAUTHORIZED` for a token that is missing, wrong, expired or revoked
   */
  identify(authorization: string | undefined): Caller {
    const text = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (text === undefined) {
      const hint = this.isOpen ? "; this node has none yet: make one with enoki tokens create" : "";
      throw new EnokiError("ENOKI_UNAUTHORIZED", `this needs Authorization: Bearer TOKEN${hint}`);
    }
    const { adminToken, tokens, clock } = this.#options;
    if (adminToken !== undefined && isSameSecret(text, adminToken)) return ADMIN;
    const id = tokenIdOf(text);
    const token = id === undefined ? undefined : tokens.find(id);
    if (!token || !isTokenText(text, token)) {
      throw new EnokiError("ENOKI_UNAUTHORIZED", "the token is wrong");
    }
    if (token.isRevoked) {
      throw new EnokiError("ENOKI_UNAUTHORIZED", `the token "${token.name}" was removed`);
    }
    if (isExpired(token, clock.nowMs())) {
      const at = new Date(token.expiresAtMs as number).toISOString();
      throw new EnokiError("ENOKI_UNAUTHORIZED", `the token "${token.name}" expired at ${at}`);
    }
    return { name: token.name, role: token.role, tokenId: token.id };
  }

  /**
   * Lets nobody pass but bearers of a token of that role, also where the admin port is open.
   * @throws EnokiError `ENOKI_UNAUTHORIZED`, `ENOKI_FORBIDDEN`
   */
  require(authorization: string | undefined, needed: Role): void {
    requireRole(this.identify(authorization), needed);
  }
}

/** True once a token's time is over. */
export function isExpired({ expiresAtMs }: TokenRecord, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs >= expiresAtMs;
}

/** @throws EnokiError `ENOKI_FORBIDDEN` that names the role */
export function requireRole(caller: Caller, needed: Role): void {
  if (includesRole(caller.role, needed)) return;
  const detail = `this needs a token with the role ${needed}; "${caller.name}" has ${caller.role}`;
  throw new EnokiError("ENOKI_FORBIDDEN", detail, { role: needed });
}
