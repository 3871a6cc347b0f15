import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { LinkEvents, LinkLane } from "../ports/links.js";

/** First byte of a message about a request. Never change it. */
export const REQUEST_MESSAGE = 0x80;

/** Those of keygroups begin with the length of a name instead. */
const NAME_LENGTH_MAX = 63;

/** Whom messages between nodes are for; each also hears of all links. */
export interface PeerRoutes {
  readonly requests: LinkEvents;
  readonly keygroups: LinkEvents;
}

/** Gives the messages of all links to those whom they are for, by their first byte. */
export class PeerRouter implements LinkEvents {
  readonly #routes: PeerRoutes;

  constructor(routes: PeerRoutes) {
    this.#routes = routes;
  }

  up(peer: NodeName): void {
    this.#routes.requests.up(peer);
    this.#routes.keygroups.up(peer);
  }

  down(peer: NodeName): void {
    this.#routes.requests.down(peer);
    this.#routes.keygroups.down(peer);
  }

  /** @throws EnokiError `ENOKI_PROTOCOL` for a message that is for nobody */
  message(peer: NodeName, payload: Uint8Array): void {
    const first = payload[0] ?? 0;
    if (first === REQUEST_MESSAGE) this.#routes.requests.message(peer, payload);
    else if (first > 0 && first <= NAME_LENGTH_MAX) this.#routes.keygroups.message(peer, payload);
    else throw new EnokiError("ENOKI_PROTOCOL", `a message of unknown kind ${first}`);
  }

  room(peer: NodeName, lane: LinkLane): void {
    this.#routes.requests.room?.(peer, lane);
    this.#routes.keygroups.room?.(peer, lane);
  }
}
