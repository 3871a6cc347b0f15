import type { Server } from "node:http";

import { closeServer, listen, urlHost, type FlaggedAddress } from "./listen.js";

/** A port that listens. */
export interface OpenPort {
  /** What clients are told. */
  readonly address: string;
  /** Takes nothing new, lets exchanges end, and cuts what is left after `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** Lets an HTTP server listen. @throws EnokiError `ENOKI_PORT_IN_USE` */
export async function openServer(server: Server, place: FlaggedAddress): Promise<OpenPort> {
  const port = await listen(server, place);
  return {
    address: `http://${urlHost(place.host)}:${port}`,
    close: (timeoutMs) => closeServer(server, timeoutMs),
  };
}
