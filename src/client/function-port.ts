import { EnokiError } from "../core/errors.js";
import { Transport } from "./transport.js";
import type { NodeInfo } from "./types.js";

/** What is known of a node's function port. */
export interface FunctionPortOptions {
  readonly admin: Transport;
  /** Without it the node is asked. */
  readonly functionsUrl: string | undefined;
  readonly functionsToken: string | undefined;
  readonly token: string | undefined;
  readonly timeoutMs: number | undefined;
}

/** Finds the function port of one node: asks once, and again after a failure. */
export class FunctionPort {
  readonly #options: FunctionPortOptions;
  #found: Promise<Transport> | undefined;

  constructor(options: FunctionPortOptions) {
    this.#options = options;
  }

  /** @throws EnokiError `ENOKI_NODE_UNREACHABLE`, `ENOKI_UNSUPPORTED` if it takes no calls over HTTP */
  find(): Promise<Transport> {
    this.#found ??= this.#ask().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  async #ask(): Promise<Transport> {
    const { admin, functionsUrl, functionsToken, token, timeoutMs } = this.#options;
    if (functionsUrl !== undefined) return new Transport(functionsUrl, functionsToken, timeoutMs);
    const { addresses, access } = await admin.json<NodeInfo>("/v1/node");
    if (!addresses.functions) {
      throw new EnokiError(
        "ENOKI_UNSUPPORTED",
        `the node at ${admin.url} takes no calls over HTTP`,
      );
    }
    // why: where everybody may call, `Authorization` reaches the function, which must not learn
    // the node's token; one that the node itself has made stays with the node.
    const isMeant = access === "token" || token?.startsWith("enoki_") === true;
    const callToken = functionsToken ?? (isMeant ? token : undefined);
    return new Transport(reachable(addresses.functions, admin.url), callToken, timeoutMs);
  }
}

const LOCAL_HOSTS = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1?\]|0\.0\.0\.0)$/;

/**
 * A node that listens everywhere names itself by its loopback address: from elsewhere it is reached
 * by the host that the admin port was reached by.
 */
function reachable(address: string, adminUrl: string): string {
  const url = new URL(address.includes("://") ? address : `http://${address}`);
  if (LOCAL_HOSTS.test(url.hostname)) url.hostname = new URL(adminUrl).hostname;
  return url.origin;
}
