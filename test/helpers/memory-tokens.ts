import { Access } from "../../src/access/access.js";
import { StoredTokens } from "../../src/access/stored-tokens.js";
import { Tokens } from "../../src/access/tokens.js";
import type { Role } from "../../src/core/rights.js";
import { createMemoryDriver } from "../../src/storage/memory.js";

/** Tokens in memory, with a clock that stands where it is set. */
export interface MemoryTokens {
  readonly clock: { nowMs: number };
  readonly access: Access;
  readonly tokens: Tokens;
  readonly book: StoredTokens;
  /** `Authorization` with a new token of that role. */
  bearerOf(role: Role): Promise<string>;
}

/** Makes {@link MemoryTokens}. */
export async function memoryTokens(adminToken?: string): Promise<MemoryTokens> {
  const clock = { nowMs: 1_000_000 };
  const time = { nowMs: () => clock.nowMs };
  const book = new StoredTokens(await createMemoryDriver().open("node"));
  const access = new Access({ adminToken, tokens: book, clock: time });
  const tokens = new Tokens({ book, hasAdminToken: adminToken !== undefined, clock: time });
  const bearerOf = async (role: Role): Promise<string> => {
    const { text } = await tokens.create({ role, name: undefined, validMs: undefined });
    return `Bearer ${text}`;
  };
  return { clock, access, tokens, book, bearerOf };
}
