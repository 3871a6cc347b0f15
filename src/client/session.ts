import { decodeSession, encodeSession, mergeSessions, NEW_SESSION } from "../core/session.js";

/** What a client has seen and written, over all its calls: also over those that run at once. */
export class ClientSession {
  #session = NEW_SESSION;
  #token: string;

  /** Goes on with a token that was kept. @throws EnokiError `ENOKI_INVALID_INPUT` if it is none */
  constructor(token = "") {
    this.#token = token;
    if (token !== "") this.#session = decodeSession(token, Infinity);
  }

  /** The token as it stands; `""` = nothing that would have to be known elsewhere. */
  get token(): string {
    return this.#token;
  }

  /** Adds what an answer says that has been seen; `null` = nothing. */
  note(token: string | null): void {
    if (token === null || token === this.#token) return;
    this.#session = mergeSessions(this.#session, decodeSession(token, Infinity));
    this.#token = encodeSession(this.#session);
  }
}
