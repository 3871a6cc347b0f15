import { segment } from "./options.js";
import type { Transport } from "./transport.js";
import type { MadeToken, TokenInfo } from "./types.js";

const PATH = "/v1/tokens";

/** Makes and removes the tokens that a node, or its whole cluster, takes. */
export class TokensClient {
  readonly #admin: Transport;

  constructor(admin: Transport) {
    this.#admin = admin;
  }

  /** All tokens, by name, without their secrets. */
  async list(): Promise<readonly TokenInfo[]> {
    return (await this.#admin.json<{ tokens: TokenInfo[] }>(PATH)).tokens;
  }

  /**
   * Makes a token. `expires` is a duration such as `30d`; without it the token does not expire.
   * @throws EnokiError `ENOKI_TOKEN_EXISTS`, `ENOKI_NO_ADMIN_TOKEN` for a first one without that role
   */
  async create(request: {
    readonly role: TokenInfo["role"];
    readonly name?: string;
    readonly expires?: string;
  }): Promise<MadeToken> {
    return await this.#admin.json(PATH, { method: "POST", json: request });
  }

  /** Removes the token of that id or name. @throws EnokiError `ENOKI_TOKEN_NOT_FOUND` */
  async remove(token: string): Promise<void> {
    await this.#admin.request(`${PATH}/${segment(token)}`, { method: "DELETE" });
  }
}
