import type { TokenRecord } from "../cluster/records.js";

/** Where the tokens of a node are kept. What it knows is looked up without waiting for anything. */
export interface TokenBook {
  /** Also one that was revoked or has expired. */
  find(id: string): TokenRecord | undefined;
  /** All that were ever made, in no order; those that were revoked are among them. */
  all(): readonly TokenRecord[];
  /** Resolves once the token counts and is kept. @throws EnokiError `ENOKI_NAMING_UNAVAILABLE` */
  add(token: TokenRecord): Promise<void>;
  /** Resolves once the token counts no more. @throws EnokiError `ENOKI_NAMING_UNAVAILABLE` */
  revoke(id: string): Promise<void>;
}
